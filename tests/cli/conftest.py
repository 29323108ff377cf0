from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every test, so that none writes into the user's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LLAVAPLUS_HOME", str(folder))
    return folder
