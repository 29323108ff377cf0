"""The README tells the truth: examples run, the transcript is what comes out, graph and paths are as they are shown."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from llavaplus_graph import create_llavaplus_graph
from llavaplus_graph.cli.app import app
from llavaplus_graph.testing import ScriptedLmm

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """The lines of the shell blocks, each chain of commands taken apart."""
    lines = [part for block in blocks("sh") for line in block.splitlines() for part in line.split("&&")]
    return [shlex.split(line, comments=True) for line in lines]


def captioned_paths(tree: str) -> Iterator[str]:
    """The first word of every line, below the folder that it is indented under."""
    folder = ""
    for line in tree.splitlines():
        name = line.split()[0]
        yield (folder if line.startswith(" ") else "") + name
        folder = folder if line.startswith(" ") else name


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_python_examples_print_what_their_comments_say(tmp_path: Path) -> None:
    code = "\n".join(blocks("python"))
    told = re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE)
    place = {"LLAVAPLUS_IMAGES": str(tmp_path / "store")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | place, capture_output=True, text=True
    )
    assert (done.stdout.splitlines(), done.stderr) == (told, "")
    assert (tmp_path / "read.png").stat().st_size > 1_000


def test_the_transcript_is_what_the_command_prints(tmp_path: Path) -> None:
    (tmp_path / "llavaplus_graph").symlink_to(ROOT / "llavaplus_graph")
    places = {"LLAVAPLUS_IMAGES": str(tmp_path / "store"), "LLAVAPLUS_HOME": str(tmp_path / "home")}
    (transcript,) = blocks("console")
    told = re.split(r"^\$ llavaplus ", transcript, flags=re.MULTILINE)[1:]
    assert told
    for command, _, output in (part.partition("\n") for part in told):
        words = [str(Path(sys.executable).with_name("llavaplus")), *shlex.split(command)]
        done = subprocess.run(words, cwd=tmp_path, env=os.environ | places, capture_output=True, text=True)
        assert done.stdout.strip() == output.strip(), done.stderr
    written = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("out/**/*.png")}
    assert written == set(re.findall(r"^  (out/.+)$", transcript, re.MULTILINE))


def test_every_command_exists() -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    used = {words[1] for words in commands() if words[0] == "llavaplus"} | set(re.findall(r"`llavaplus (\w+)", README))
    assert used <= known
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {words[1] for words in commands() if words[0] == "make"} | set(re.findall(r"`make (\w+)", README)) <= targets


def test_the_demo_of_the_makefile_has_the_command_of_the_transcript() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n\t    ", "")
    for command in re.findall(r"^\$ llavaplus ask (.+)$", README, re.MULTILINE):
        assert f"\t$(ASK) {command}\n" in makefile


def test_the_picture_of_the_graph_is_the_graph() -> None:
    drawn = create_llavaplus_graph(ScriptedLmm([]), []).compile().get_graph().draw_mermaid()
    assert [block.strip() for block in blocks("mermaid")] == [drawn.strip()]


def test_every_captioned_path_and_every_link_exists() -> None:
    (tree,) = blocks("text")
    links = re.findall(r"\]\(([^):]+)\)", README)
    recipes = [word for words in commands() for word in words if word.endswith(".yaml")]
    missing = [path for path in (*captioned_paths(tree), *links, *recipes) if not (ROOT / path).exists()]
    assert missing == []


def test_the_tree_leaves_no_part_of_the_package_out() -> None:
    (tree,) = blocks("text")
    folders = [path for path in (ROOT / "llavaplus_graph").iterdir() if path.is_dir() and path.name[0] not in "._"]
    assert {f"llavaplus_graph/{folder.name}/" for folder in folders} <= set(captioned_paths(tree))
