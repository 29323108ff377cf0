"""A local Ray of its own process: it starts servers and threads that no test could clean up after."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llavaplus_graph.data.curation.pipeline import curate_spec
from llavaplus_graph.data.curation.spec import Spec

COMMAND = (
    "import sys; from llavaplus_graph.cli.app import run; sys.exit(run(['curate', sys.argv[1], '--engine', 'ray']))"
)


def test_ray_gives_the_same_files_and_asks_for_no_more(
    tmp_path: Path, write: Callable[..., Spec], loopback: Any
) -> None:
    settings = {"labeller": {"model": "writer", "base_url": loopback.url}, "concurrency": 2}
    curate_spec(write(**settings, out="here"), tmp_path)
    asked = len(loopback.bodies)
    write(**settings)
    command = [sys.executable, "-c", COMMAND, str(tmp_path / "spec.yaml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for name in ("train.jsonl", "held_out.jsonl", "dropped.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert len(loopback.bodies) == 2 * asked
