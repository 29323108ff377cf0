from importlib.metadata import EntryPoints
from pathlib import Path

import pytest
from PIL import Image

from llavaplus_graph.cli.app import run


def test_a_collection_is_built_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.linear_gradient("L").save(tmp_path / "rex.png")
    (tmp_path / "rex.txt").write_text("Rex", encoding="utf-8")
    out = tmp_path / "out"
    assert run(["knowledge", "build", str(tmp_path), "--out", str(out), "--model", "lookalikes"]) == 0
    assert capsys.readouterr().out.startswith(f"1 entry in {out}, embedded by lookalikes\n")
    assert (out / "collection.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "--out", "out"], "'nowhere' does not exist; give a folder of pictures with texts"),
        ([".", "--out", "out"], "there is nothing to collect"),
        (["."], "Missing option '--out'"),
    ],
)
def test_what_cannot_be_built_is_the_users_mistake(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["knowledge", "build", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_without_a_package_that_builds_the_user_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("llavaplus_graph.cli.knowledge.entry_points", lambda group: EntryPoints())
    assert run(["knowledge", "build", ".", "--out", "out"]) == 2
    assert "no installed package makes collections of knowledge" in capsys.readouterr().err
