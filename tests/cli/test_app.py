"""Exit codes and the one sentence of every error; the model is never loaded here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image

from llavaplus_graph.cli.app import common, run
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.samples import sample


def ask(tmp_path: Path, *words: str) -> int:
    return run(["ask", *words, "--store", str(tmp_path / "store"), "--save", str(tmp_path / "out")])


def bad_pictures(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are no good, each with words of the sentence they must lead to."""
    files = {
        "missing": (b"", "does not exist"),
        "text": (b"hello, I am text", "neither PNG, JPEG nor WEBP"),
        "empty": (b"", "is empty"),
        "truncated": (sample("photo.jpg").read_bytes()[:9_000], "is damaged or cut off"),
        "huge": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + 2 * (40_000).to_bytes(4) + b"\x08\2\0\0\0", "pixels"),
    }
    found = {}
    for name, (data, words) in files.items():
        path = folder / f"{name}.png"
        if name != "missing":
            path.write_bytes(data)
        found[name] = (path, words)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    (folder / "folder.png").mkdir()
    return found | {
        "animated": (folder / "animated.gif", "is a GIF"),
        "directory": (folder / "folder.png", "is a directory"),
    }


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "truncated", "huge", "animated", "directory"])
def test_a_bad_picture_is_one_sentence_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    picture, words = bad_pictures(tmp_path)[kind]
    assert ask(tmp_path, picture.name, "What is it?") == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert picture.name in err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["sign.png", "  "], "the question is empty", id="empty-question"),
        pytest.param(["sign.png", "a" * 20_000], "the question has 20,000 characters and at most 10,000", id="long"),
        pytest.param([str(sample("sign"))], "sign.png' is a file, so there is no question", id="no-question"),
        pytest.param(["What is it?"], "there is no picture; give one before the question", id="no-picture"),
        pytest.param(["http://10.0.0.1/a.png", "What?"], "URLs are not fetched", id="url"),
        pytest.param([str(sample("sign")), "What?", "--box", "1,2,3,4"], "must be 4 numbers from 0 to 1", id="box"),
        pytest.param([str(sample("sign")), "What?", "--point", "0.5"], "must be 2 numbers from 0 to 1", id="point"),
        pytest.param([], "Missing argument", id="nothing"),
        pytest.param(["a", "b", "--sav", "x"], "No such option", id="unknown-option"),
        pytest.param([str(sample("sign")), "What?", "--save", str(sample("qr"))], "is a file", id="folder-is-a-file"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert run(["ask", "--store", str(tmp_path / "store"), *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err


def test_an_unknown_thread_needs_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(tmp_path, "And now?", "--thread", "holiday") == 2
    assert "there is no thread 'holiday' yet" in capsys.readouterr().err


def test_a_broken_file_of_threads_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    home.mkdir()
    (home / "threads.sqlite").write_text("this is no database" * 100)
    assert ask(tmp_path, str(sample("sign")), "What?", "--thread", "holiday") == 2
    assert "threads.sqlite cannot be used" in capsys.readouterr().err


def test_an_unknown_model_directory_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(tmp_path, str(sample("sign")), "What?", "--model", "nowhere") == 2
    assert "no model directory 'nowhere'" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def failing(error: BaseException) -> typer.Typer:
    commands = typer.Typer()
    commands.callback()(common)

    @commands.command()
    def fail() -> None:
        raise error

    return commands


def test_a_bug_goes_to_the_log_and_debug_shows_it(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert run(["fail"], commands=failing(ZeroDivisionError("secret"))) == 1
    err = capsys.readouterr().err
    log = home / "llavaplus.log"
    assert err == (
        f"Error: llavaplus failed unexpectedly (ZeroDivisionError); the details are in {log},"
        " or run it again as llavaplus --debug\n"
    )
    assert "ZeroDivisionError: secret" in log.read_text()
    assert run(["--debug", "fail"], commands=failing(ZeroDivisionError("secret"))) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        pytest.param(ConfigError("two\nlines"), 2, "Error: two lines\n", id="ours"),
        pytest.param(KeyboardInterrupt(), 130, "Error: interrupted\n", id="interrupted"),
    ],
)
def test_errors_have_exit_codes(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, sentence: str
) -> None:
    assert run(["fail"], commands=failing(error)) == code
    assert capsys.readouterr().err == sentence


def test_without_a_command_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert "ask" in out
    assert "Error" not in err


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from llavaplus_graph.cli.app import run; run(['ask', '--help']);"
        "heavy = {'torch', 'transformers', 'langgraph', 'langchain_core', 'PIL', 'cv2'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=dict(os.environ))
    assert (done.returncode, done.stderr) == (0, "")
    assert "--thread" in done.stdout
