"""What is left when the process is killed: nothing is lost, nothing is made twice."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llavaplus_graph.data.curation.pipeline import curate_spec
from llavaplus_graph.data.curation.spec import Spec

COMMAND = "import sys; from llavaplus_graph.cli.app import run; sys.exit(run(['curate', sys.argv[1]]))"
TOGETHER = 2


def begun(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", COMMAND, str(folder / "spec.yaml")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killed_at_any_point_it_goes_on_without_loss_or_repetition(
    tmp_path: Path, write: Callable[..., Spec], loopback: Any
) -> None:
    settings = {"labeller": {"model": "writer", "base_url": loopback.url}, "concurrency": TOGETHER}
    task = {"name": "find", "kind": "arguments", "skills": ["find_colour.py"], "records": 12}
    undisturbed = curate_spec(write(**settings, tasks=[task], out="whole"), tmp_path)
    expected = len(loopback.bodies)
    loopback.bodies.clear()
    loopback.delay = 0.03
    write(**settings, tasks=[task])
    kills = random.Random(7).sample(range(2, expected - 2), 3)
    for number in sorted(kills):
        process = begun(tmp_path)
        while len(loopback.bodies) < number and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -9
    assert begun(tmp_path).wait() == 0
    for name in ("train.jsonl", "held_out.jsonl", "dropped.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["kept"] == undisturbed.kept == 12
    # Only what was on its way when the process died may have been asked again.
    assert expected <= len(loopback.bodies) <= expected + len(kills) * TOGETHER
