from pathlib import Path

import pytest

import llavaplus_graph
from llavaplus_graph.data.recipe import Eye, Recipe, Shape, Stage, Tuning, load_recipe
from llavaplus_graph.errors import ConfigError

STAGE = "stages: [{name: words, records: 10}]"


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_recipe_loads() -> None:
    recipe = load_recipe(Path(llavaplus_graph.__file__).parent / "train" / "recipes" / "mini.yaml")
    assert not recipe.stages[0].needs_pictures
    assert any(stage.needs_pictures for stage in recipe.stages)
    assert recipe.data == recipe.out / "data"


def test_what_a_recipe_leaves_out_has_a_default(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, f"out: runs/x\n{STAGE}"))
    assert recipe == Recipe(Path("runs/x"), 7, 1000, (Stage("words", 10),), Shape(), None, Tuning())


def test_what_a_recipe_says_is_taken(tmp_path: Path) -> None:
    text = (
        "out: x\nseed: 0\npictures: 3\nshape: {width: 64, word_vectors: null}\ntuning: {clip: 1}\n"
        "stages: [{name: a-1, records: 5, pictured: 0.5, learning_rate: 1.0e-3}]"
    )
    recipe = load_recipe(written(tmp_path, text))
    assert (recipe.seed, recipe.pictures, recipe.shape.width, recipe.tuning.clip) == (0, 3, 64, 1)
    assert recipe.stages == (Stage("a-1", 5, pictured=0.5, learning_rate=1e-3),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "needs at least the key 'out'"),
        ("- out", "needs at least the key 'out'"),
        (f"out: 3\n{STAGE}", "line 1: 'out' in recipe must be a text, not 3"),
        (f"out: ''\n{STAGE}", "line 1: 'out' in recipe must be a text, not ''"),
        (f"out: x\n{STAGE}\nshape: []", "line 3: a shape must be given by keys and values, not as \\[\\]"),
        (f"out: x\n{STAGE}\nseed: 4294967296", "line 3: 'seed' in recipe must be from 0 to"),
        (f"out: x\n{STAGE}\ntuning: {{clip: .inf}}", "line 3: 'clip' in tuning must be a finite number, not inf"),
        ("out: [unclosed", "is not YAML"),
        ("out: x", "'stages' must be a list of at least one stage, not None"),
        ("out: x\nstages: []", "'stages' must be"),
        ("out: x\nstages: {name: words}", "'stages' must be"),
        ("out: x\nstages: [words]", "a stage must be given by keys and values, not as 'words'"),
        ("out: x\nstages: [{name: words}]", "stage is incomplete: .*'records'"),
        ("out: x\nstages: [{name: 3, records: 1}]", "'name' in stage must be a name of letters"),
        ("out: x\nstages: [{name: ../up, records: 1}]", "'name' in stage must be a name of letters"),
        ("out: x\nstages: [{name: w, records: many}]", "'records' in stage must be a whole number, not 'many'"),
        ("out: x\nstages: [{name: w, records: 1.5}]", "'records' in stage must be a whole number, not 1.5"),
        ("out: x\nstages: [{name: w, records: true}]", "'records' in stage must be a whole number, not True"),
        ("out: x\nstages: [{name: w, records: 0}]", "'records' in stage must be at least 1, not 0"),
        ("out: x\nstages: [{name: w, records: 1, pictured: 1.5}]", "'pictured' in stage must be from 0 to 1, not 1.5"),
        ("out: x\nstages: [{name: w, records: 1, pictured: .nan}]", "'pictured' in stage must be from 0 to 1"),
        ("out: x\nstages: [{name: w, records: 1, learning_rate: 1e-3}]", r"'learning_rate' .* 1\.0e-3\), not '1e-3'"),
        ("out: x\nstages: [{name: w, records: 1, learnig_rate: 1}]", "unknown key 'learnig_rate' in stage; known are"),
        ("out: x\nstages: [{name: w, records: 1}, {name: w, records: 2}]", "two stages have the same 'name'"),
        ("out: x\nstages: [{name: w, records: 1, plan_drills: 0.7, answer_drills: 0.7}]", "lower 'answer_drills'"),
        (f"out: x\n{STAGE}\nshape: big", "a shape must be given by keys and values, not as 'big'"),
        (f"out: x\n{STAGE}\nshape: {{widht: 3}}", "unknown key 'widht' in shape"),
        (f"out: x\n{STAGE}\nshape: {{word_vectors: 3}}", "'word_vectors' in shape must be a name, not 3"),
        (f"out: x\n{STAGE}\nshape: {{picture: 100, patch: 32}}", "'picture' must be a multiple of 'patch'"),
        (f"out: x\n{STAGE}\nshape: {{width: 100, heads: 3}}", "'width' must be an even multiple of 'heads'"),
        (f"out: x\n{STAGE}\nshape: {{vision_width: 100, vision_heads: 3}}", "'vision_width' must be a multiple"),
        (f"out: x\n{STAGE}\ntuning: {{warmup: soon}}", "'warmup' in tuning must be a number"),
        (f"out: x\n{STAGE}\nseed: -1", "'seed' in recipe must be from 0 to 4294967295, not -1"),
        (f"out: x\n{STAGE}\n1: 2", "unknown key 1 in recipe"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_file_and_key(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        load_recipe(written(tmp_path, text))
    assert "mine.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml' cannot be read: No such file"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("out: caf\xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml' is not a text in UTF-8"):
        load_recipe(tmp_path / "latin.yaml")


def test_an_eye_is_trained_alone_only_where_the_recipe_says_so(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("out: run\nstages:\n  - {name: words, records: 10}\n", encoding="utf-8")
    assert load_recipe(path).eye is None
    path.write_text(path.read_text("utf-8") + "eye: {epochs: 2, batch: 16}\n", encoding="utf-8")
    assert load_recipe(path).eye == Eye(epochs=2, learning_rate=1e-3, batch=16)
    path.write_text("out: run\neye: {epochs: 2}\nstages:\n  - {name: eye, records: 10}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be called 'eye'"):
        load_recipe(path)
