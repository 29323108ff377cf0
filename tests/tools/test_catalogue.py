import subprocess
import sys
from pathlib import Path

from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import CATALOGUE, SkillInfo
from llavaplus_tools import SKILLS

README = Path(__file__).parents[2] / "tools" / "README.md"


def told(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def row(info: SkillInfo, module: str) -> str:
    arguments = (() if info.effect == "creates" else ("image",)) + info.arguments
    needs = "nothing" if info.offline else told(info.weights)
    return f"| `{info.name}` | {told(info.wire_names)} | {told(arguments)} | {needs} | {module} |"


def test_the_table_of_the_readme_is_the_catalogue(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    modules = {skill(store=store).name: type(skill).__module__ for skill in SKILLS}
    modules |= {name: getattr(sys.modules["llavaplus_tools"], name).__module__ for name in modules}
    short = {name: module.removeprefix("llavaplus_tools.") for name, module in modules.items()}
    table = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert table == [row(info, short[info.name]) for info in CATALOGUE]


def test_an_offline_skill_takes_the_arguments_of_its_row(tmp_path: Path) -> None:
    tools = {tool.name: tool for tool in (skill(store=ImageStore(tmp_path)) for skill in SKILLS)}
    for info in CATALOGUE:
        if info.offline:
            assert tuple(tools[info.name].args) == ("image", *info.arguments)


def test_listing_the_skills_loads_no_heavy_library() -> None:
    heavy = "{'cv2', 'onnxruntime', 'rapidocr', 'torch', 'transformers'}"
    code = f"import sys; from llavaplus_graph import load_skills; load_skills(); print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_each_library_is_imported_in_the_backends_only() -> None:
    package = Path(sys.modules["llavaplus_tools"].__path__[0])
    for path in package.glob("*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        assert not [line for line in lines if line.startswith(("import cv2", "import onnxruntime", "from rapidocr"))]
