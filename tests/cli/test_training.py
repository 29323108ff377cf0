from pathlib import Path

import pytest

from llavaplus_graph.cli.app import run


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"out: {tmp_path}/file/x\nbase: mini\ndata: [{{records: a.json}}]\nstages: [{{name: a}}]\n", "utf-8"
    )
    assert run(["finetune", str(recipe)]) == 2
    assert "file/x' cannot be written to: Not a directory; change 'out'." in capsys.readouterr().err
