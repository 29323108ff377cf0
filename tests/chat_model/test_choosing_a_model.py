"""The guide tells the truth: its examples run, against a server on this machine where they need one."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.chat_model.chat_template import FILE
from llavaplus_graph.chat_model.checkpoints import bundled, open_checkpoint
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.testing import ChatServer, listening

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "choosing_a_model.md"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The small files of the bundled LMM, as they lie on a machine without its weights."""
    for name in ("llavaplus.json", "tokenizer.json", "config.json"):
        shutil.copy(bundled() / name, tmp_path)
    return tmp_path


def test_its_examples_run_and_all_three_models_answer(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAVAPLUS_IMAGES", "memory://guide")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    opened = open_checkpoint(None)
    server = ChatServer(TransformersEngine(opened.model, opened.processor), opened.dialect, name="llava-plus")
    names: dict[str, Any] = {}
    with listening(server) as address:
        here = code.replace("http://localhost:8000", address).replace('"DIR"', repr(str(directory)))
        exec(compile(here, str(GUIDE), "exec"), names)  # noqa: S102  our own guide
    local, served, other = capsys.readouterr().out.splitlines()
    assert "https://example.org/menu" in local
    assert (served, other) == (local, "It leads to a menu.")
    assert (directory / FILE).exists()
    assert server.bodies[0]["structured_outputs"]


def test_every_class_of_error_that_it_names_exists() -> None:
    import llavaplus_graph.errors

    named = set(re.findall(r"`(\w+Error)`", GUIDE.read_text("utf-8"))) - {"ConnectionError"}
    assert named == {"ServerError", "ConfigError", "ProtocolError"}
    assert all(hasattr(llavaplus_graph.errors, name) for name in named)
