from pathlib import Path

import pytest

from llavaplus_graph.data.recipe import Recipe
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.train.config import Lora, Source, Speech, TunedRecipe, TunedStage, TunedTuning, read_recipe

HEAD = "out: runs/x\nbase: some/lmm\n"
DATA = "data: [{records: a.json, images: pictures}]\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def test_what_a_recipe_leaves_out_has_a_default(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, f"{HEAD}{DATA}stages: [{{name: all-of-it, trains: all}}]"))
    source = Source(Path("a.json"), (Path("pictures"),))
    stage = TunedStage("all-of-it", ("projector", "language", "vision"), (source,))
    assert recipe == TunedRecipe(Path("runs/x"), "some/lmm", (stage,), 7, Speech(), TunedTuning())


def test_a_stage_has_its_own_data_and_adapters(tmp_path: Path) -> None:
    own = "data: [{records: b.json, images: [p, q], most: 3}]"
    stages = f"stages:\n- {{name: one, trains: projector, form: caption}}\n- {{name: two, lora: {{rank: 8}}, {own}}}\n"
    recipe = read_recipe(written(tmp_path, f"{HEAD}{DATA}{stages}speech: {{system: 'Be brief, please.'}}"))
    assert isinstance(recipe, TunedRecipe)
    assert recipe.stages[0].data[0].records == Path("a.json")
    assert recipe.stages[1].data == (Source(Path("b.json"), (Path("p"), Path("q")), 3),)
    assert recipe.stages[1].lora == Lora(rank=8)
    assert recipe.speech.system == "Be brief, please."


def test_adapters_without_a_word_more_have_their_defaults(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, f"{HEAD}{DATA}stages: [{{name: a, lora: {{}}}}]"))
    assert isinstance(recipe, TunedRecipe)
    assert recipe.stages[0].lora == Lora()


def test_without_a_base_it_is_a_recipe_from_nothing(tmp_path: Path) -> None:
    assert isinstance(read_recipe(written(tmp_path, "out: x\nstages: [{name: a, records: 1}]")), Recipe)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"{HEAD}{DATA}", "'stages' must be a list of at least one stage, not None"),
        (f"{HEAD}stages:\n- name: a", r"line 4: stage 'a' has no 'data', and the recipe has none"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  trains: eyes", r"line 6: 'trains' names 'eyes'; it must be all, or some"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  trains: []", r"line 6: 'trains' names nothing; it must be all, or some"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  lora: []", r"line 6: a lora must be given by keys and values, not as"),
        (f"{HEAD}{DATA}stages: [{{name: a}}]\ntuning: 0", r"line 5: a tuning must be given by keys and values"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  epochs: 0", r"line 6: 'epochs' in stage must be at least 1, not 0"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  form: poem", r"line 6: 'form' in stage must be one of conversation, cap"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  lora: {{rank: x}}", r"line 6: 'rank' in lora must be a whole number"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  lora: {{targets: q}}", r"line 6: 'targets' must be a list of texts"),
        (f"{HEAD}{DATA}stages:\n- name: a\n  name: b", r"line 6: the key 'name' stands there twice"),
        (f"{HEAD}data: a.json\nstages: [{{name: a}}]", r"line 3: 'data' must be a list of entries with 'records'"),
        (f"{HEAD}data: [{{images: p}}]\nstages: [{{name: a}}]", r"line 3: source is incomplete: .*'records'"),
        (f"{HEAD}{DATA}stages: [{{name: a}}]\ntuning: {{recompute: 1}}", r"line 5: 'recompute' .* true or false"),
        (f"{HEAD}{DATA}stages: [{{name: a}}]\ntuning: {{quantization: 2bit}}", "'quantization' in tuning must be"),
        (f"{HEAD}{DATA}stages: [{{name: a}}]\ntuning: {{quantization: 4bit}}", "is for adapters"),
        (f"{HEAD}{DATA}stages: [{{name: a, trains: projector, lora: {{rank: 2}}}}]", "'lora' is for stages that train"),
        (f"{HEAD}{DATA}stages: [{{name: a}}, {{name: a}}]", "two stages have the same 'name'"),
        (f"{HEAD}{DATA}stages: [{{name: a}}]\nshape: {{}}", r"line 5: unknown key 'shape' in recipe"),
        (f"base: 3\nout: x\n{DATA}stages: [{{name: a}}]", r"line 1: 'base' in recipe must be a text, not 3"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_line_and_key(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        read_recipe(written(tmp_path, text))
    assert "mine.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)
