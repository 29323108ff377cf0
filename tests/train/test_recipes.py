from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import llavaplus_graph
from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.train.config import Lora, Source, TunedRecipe, read_recipe
from llavaplus_graph.train.settings import tuned_settings_of
from llavaplus_graph.train.tune import tune

RECIPES = Path(llavaplus_graph.__file__).parent / "train" / "recipes"
LAUNCHERS = ("accelerate.yaml", "fsdp.yaml")
TUNED = sorted(path for path in RECIPES.glob("*.yaml") if path.name not in (*LAUNCHERS, "mini.yaml"))


def test_every_shipped_recipe_is_known_to_these_tests() -> None:
    assert [path.name for path in TUNED] == ["llava_plus_v0_7b.yaml", "llava_plus_v1_7b.yaml", "lora_24gb.yaml"]


@pytest.mark.parametrize("path", TUNED, ids=lambda path: path.stem)
def test_a_shipped_recipe_runs_on_a_tiny_lmm_of_the_same_class(
    path: Path, base: Path, released: Path, tmp_path: Path
) -> None:
    recipe = read_recipe(path)
    assert isinstance(recipe, TunedRecipe)
    source = Source(released / "records.json", (released / "pictures",), most=4)
    stages = tuple(
        replace(stage, data=(source,), batch=2, accumulate=1, epochs=1, lora=stage.lora and Lora(rank=2, alpha=4))
        for stage in recipe.stages
    )
    # A CPU holds no weights in 4 bits, and processes that load pictures take longer to start than four of them.
    tuning = replace(recipe.tuning, quantization=None, workers=0)
    target = tune(replace(recipe, out=tmp_path, base=str(base), stages=stages, tuning=tuning))
    lmm = ChatLlavaPlus(model=str(target)).load()
    assert lmm.dialect.template == (recipe.speech.template or "v0")


@pytest.mark.parametrize("path", TUNED[:2], ids=lambda path: path.stem)
def test_the_published_numbers_are_in_the_recipes(path: Path) -> None:
    recipe = read_recipe(path)
    assert isinstance(recipe, TunedRecipe)
    align, instruct = (tuned_settings_of(recipe, stage) for stage in recipe.stages)
    assert recipe.stages[0].trains == ("projector",)
    assert recipe.stages[1].trains == ("projector", "language")
    assert (align.learning_rate, align.epochs, 8 * align.samples * align.accumulate) == (2e-3, 1, 128)
    assert (instruct.learning_rate, instruct.epochs, 8 * instruct.samples * instruct.accumulate) == (2e-5, 3, 256)
    assert (instruct.warmup, instruct.weight_decay, instruct.bf16, instruct.recompute) == (0.03, 0.0, True, True)
    assert (instruct.save_steps, instruct.log_steps, recipe.tuning.longest) == (1000, 1, 2048)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_what_accelerate_reads_says_how_processes_share_the_work(name: str) -> None:
    body = yaml.safe_load((RECIPES / name).read_text("utf-8"))
    assert body["num_processes"] == 8
    assert body["distributed_type"] == ("FSDP" if name == "fsdp.yaml" else "MULTI_GPU")
