import subprocess
import sys
from pathlib import Path

from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import CATALOGUE, SkillInfo
from llavaplus_graph.weights import WEIGHTS, WeightsInfo
from llavaplus_tools import SKILLS

README = Path(__file__).parents[2] / "tools" / "README.md"
HEAVY = ("cv2", "onnxruntime", "rapidocr", "torch", "transformers", "diffusers", "faiss")


def told(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def row(info: SkillInfo, arguments: tuple[str, ...], module: str) -> str:
    """A skill's line in the first table."""
    short = tuple(id_.partition("/")[2] for id_ in info.weights)
    without = "yes" if info.offline else "no"
    return f"| `{info.name}` | {told(info.wire_names)} | {told(arguments)} | {told(short)} | {without} | {module} |"


def weights_row(weights: WeightsInfo) -> str:
    """A line of the second table."""
    users = tuple(info.name for info in CATALOGUE if weights.id in info.weights)
    return f"| `{weights.id}` | {weights.licence} | {weights.megabytes:,} MB | {told(users)} |"


def rows_under(heading: str) -> list[str]:
    """The lines of the README's table that has this heading in its first column."""
    lines = README.read_text(encoding="utf-8").splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    last = next(index for index in range(first, len(lines)) if not lines[index].startswith("|"))
    return lines[first:last]


def test_the_readme_lists_every_skill_with_what_it_takes_and_needs(tmp_path: Path) -> None:
    tools = {tool.name: tool for tool in (skill(store=ImageStore(tmp_path)) for skill in SKILLS)}
    homes = {name: getattr(sys.modules["llavaplus_tools"], name).__module__.rpartition(".")[2] for name in tools}
    assert rows_under("skill") == [row(info, tuple(tools[info.name].args), homes[info.name]) for info in CATALOGUE]


def test_the_readme_lists_all_weights_with_licence_and_size() -> None:
    assert rows_under("weights") == [weights_row(weights) for weights in WEIGHTS]


def test_listing_the_skills_loads_no_heavy_library() -> None:
    code = f"import sys; from llavaplus_graph import load_skills; load_skills(); print(set({HEAVY}) & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_each_library_is_imported_in_the_backends_only() -> None:
    package = Path(sys.modules["llavaplus_tools"].__path__[0])
    for path in package.glob("*.py"):
        words = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        modules = {line[1].partition(".")[0] for line in words if len(line) > 1 and line[0] in ("import", "from")}
        assert not modules & set(HEAVY), path.name
