"""The worked example of CONTRIBUTING.md, carried out step by step on a copy of the sources."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CONVERSATIONS = """
import random
from llavaplus_graph.data.conversations import Composer
from llavaplus_graph.data.curate import training_phrasings

composer = Composer(training_phrasings(), [], random.Random(0))
talks = [str(composer.conversation(str(number), pictured=False).turns) for number in range(400)]
print(sum("It is mostly " in talk and "name_colours" in talk for talk in talks))
"""


def apply(patch: str, root: Path) -> None:
    """Puts the added lines of every hunk behind the lines they are shown behind."""
    for part in re.split(r"^--- a/.*\n", patch, flags=re.MULTILINE)[1:]:
        head, *hunks = re.split(r"^@@ .* @@\n", part, flags=re.MULTILINE)
        path = root / head.strip().removeprefix("+++ b/")
        text = path.read_text(encoding="utf-8")
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] == " ")
            assert text.count(old) == 1, f"{path.name} has {text.count(old)} times {old!r}"
            text = text.replace(old, "".join(line[1:] for line in lines))
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with the skill of the example added."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("llavaplus_graph", "tools", "tests/tools"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("mini", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for path, body in re.findall(r"`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", CONTRIBUTING, re.DOTALL | re.MULTILINE):
        (root / path).write_text(body, encoding="utf-8")
    for patch in re.findall(r"^```diff\n(.*?)^```$", CONTRIBUTING, re.DOTALL | re.MULTILINE):
        apply(patch, root)
    return root


def run(root: Path, *words: str) -> str:
    paths = os.pathsep.join([str(root), str(root / "tools")])
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *words], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_passes_its_test_and_that_of_the_catalogue(extended: Path) -> None:
    files = ("tests/tools/test_colours.py", "tests/tools/test_catalogue.py")
    run(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files)


def test_the_example_is_found_and_curated(extended: Path) -> None:
    listed = run(extended, "-c", "from llavaplus_graph import load_skills; print(*(s.name for s in load_skills()))")
    assert listed.split()[-1] == "name_colours"
    assert int(run(extended, "-c", CONVERSATIONS)) > 0


def test_the_code_of_the_example_keeps_the_house_style(extended: Path) -> None:
    run(extended, "-m", "ruff", "check", "tools/llavaplus_tools/colours.py", "tests/tools/test_colours.py")
    run(extended, "-m", "ruff", "format", "--check", "tools/llavaplus_tools/colours.py", "tests/tools/test_colours.py")
