import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.data.recipe import Recipe, Shape, Stage
from llavaplus_graph.errors import ConfigError, DataError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.train.finetune import finetune
from llavaplus_graph.train.report import Step, Watch

Elsewhere = Callable[..., Recipe]

# Kills itself in the middle of a step, as a power cut would.
KILLED = """
import os, signal, sys
import torch
from llavaplus_graph.data.recipe import load_recipe
from llavaplus_graph.train.finetune import finetune
from llavaplus_graph.train.report import Watch
from pathlib import Path

torch.set_num_threads(1)
last = int(sys.argv[2])
finetune(load_recipe(Path(sys.argv[1])), Watch(lambda step: step.done == last and os.kill(os.getpid(), signal.SIGKILL)))
"""


def ticks(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_a_run_that_ended_after_a_stage_goes_on_without_it_and_its_export_opens(elsewhere: Elsewhere, log: Any) -> None:
    recipe = elsewhere("run", "words", "pictures")
    finetune(replace(recipe, stages=recipe.stages[:1]))
    done = recipe.out / "checkpoints" / "words" / "model.safetensors"
    written, losses = ticks(done), log.losses("words")
    assert sum(losses[-3:]) < 0.85 * sum(losses[:3])

    target = finetune(recipe)
    assert "stage words: done before" in log.lines
    assert (ticks(done), log.losses("words")) == (written, losses)
    seen = log.losses("pictures")
    assert len(seen) > 4
    assert seen[0] < losses[0]
    assert sum(seen[-3:]) < sum(seen[:3])
    assert (recipe.out / "loss.png").stat().st_size > 1_000

    store = ImageStore("memory://finetune")
    lmm = ChatLlavaPlus(model=str(target), store=store, max_tokens=24)
    assert lmm.dialect.skills == tuple(info.name for info in CATALOGUE)
    question = user_message("what does it say", images=[Image.new("RGB", (40, 30), "white")], store=store)
    reply = lmm.invoke([question])
    assert reply.response_metadata["finish_reason"] in ("stop", "length")
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] > 0


def test_a_run_that_was_killed_goes_on_to_the_same_weights_to_the_bit(elsewhere: Elsewhere, tmp_path: Path) -> None:
    whole, killed = elsewhere("whole", "words", "pictures"), elsewhere("killed", "words", "pictures")
    finetune(whole)
    stages = [{"name": s.name, "records": s.records, "learning_rate": s.learning_rate} for s in killed.stages]
    drills: list[dict[str, float]] = [{"answer_drills": 0.3}, {"sight_drills": 0.3, "pictured": 0.9}]
    body = {
        "out": str(killed.out),
        "seed": killed.seed,
        "pictures": killed.pictures,
        "stages": [stage | shares for stage, shares in zip(stages, drills, strict=True)],
        "shape": {name: getattr(killed.shape, name) for name in Shape.__dataclass_fields__},
        "tuning": {"tokens_per_step": 800, "save_steps": 4, "log_steps": 1},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(body), "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), "6"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr[-500:]
    folder = killed.out / "checkpoints" / "words"
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-4"]
    (folder / "checkpoint-8").mkdir()  # a save that was cut off
    steps: list[Step] = []

    finetune(killed, Watch(steps.append))
    assert steps[0] == Step("words", 5, steps[0].steps, steps[0].loss)
    for name in ("words", "pictures"):
        first, again = (
            load_file(recipe.out / "checkpoints" / name / "model.safetensors") for recipe in (whole, killed)
        )
        assert first.keys() == again.keys()
        assert all(torch.equal(weight, again[key]) for key, weight in first.items())


def test_what_a_run_keeps_holds_no_code(elsewhere: Elsewhere) -> None:
    recipe = elsewhere("run", "words")
    finetune(recipe)
    kinds = {path.suffix for path in recipe.out.rglob("*") if path.is_file() and "data" not in path.parts}
    assert kinds == {".safetensors", ".json", ".png"}


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"stages": (Stage("words", 60, answer_drills=0.3, learning_rate=5e-3),)}, "learning_rate was 0.02 and is now"),
        ({"seed": 6}, "seed was 5 and is now 6"),
    ],
)
def test_a_changed_recipe_does_not_pass_off_what_another_one_trained(
    change: dict[str, Any], difference: str, elsewhere: Elsewhere
) -> None:
    recipe = elsewhere("run", "words")
    finetune(recipe)
    with pytest.raises(ConfigError, match=difference) as refused:
        finetune(replace(recipe, **change))
    assert "words' was trained with another recipe" in str(refused.value)
    assert "remove the folder and those of later stages" in str(refused.value)
    comfort = replace(recipe, tuning=replace(recipe.tuning, save_steps=9, log_steps=3))
    assert finetune(comfort) == recipe.out / "export"


def test_a_stage_begun_by_an_earlier_version_is_taken_and_said_to_be_unchecked(elsewhere: Elsewhere, log: Any) -> None:
    recipe = elsewhere("run", "words")
    finetune(recipe)
    (recipe.out / "checkpoints" / "words" / "trained_with.json").unlink()
    finetune(replace(recipe, seed=6))
    assert any("did not note its recipe" in line for line in log.lines)


def test_examinations_are_asked_at_their_steps_and_change_nothing(elsewhere: Elsewhere, log: Any) -> None:
    asked: list[tuple[int, bool]] = []

    def examine(directory: Path, questions: int) -> dict[str, float]:
        torch.rand(3)
        asked.append((questions, ChatLlavaPlus(model=str(directory)).load().dialect.grounded))
        return {"skill": 0.25}

    plain, examined = elsewhere("plain", "words"), elsewhere("examined", "words")
    tuning = replace(examined.tuning, exam_steps=5, exam_questions=3)
    finetune(plain)
    finetune(replace(examined, tuning=tuning), Watch(examine=examine))
    first, second = (
        load_file(recipe.out / "checkpoints" / "words" / "model.safetensors") for recipe in (plain, examined)
    )
    assert asked
    assert set(asked) == {(3, True)}
    assert all(torch.equal(weight, second[key]) for key, weight in first.items())
    history = json.loads((examined.out / "checkpoints" / "words" / "history.json").read_text("utf-8"))
    assert [entry["step"] for entry in history if "exam skill" in entry] == [5 * (n + 1) for n in range(len(asked))]
    assert any("skill 25.0%" in line for line in log.lines)


def test_speed_and_memory_are_told_at_the_end_of_a_stage(elsewhere: Elsewhere, log: Any) -> None:
    finetune(elsewhere("run", "words"))
    assert any("samples/s" in line and "GiB of memory" in line for line in log.lines)


def test_without_curated_data_the_remedy_is_told(tmp_path: Path, shape: Shape) -> None:
    with pytest.raises(DataError, match=r"run `llavaplus curate`"):
        finetune(Recipe(tmp_path, stages=(Stage("words", 40),), shape=shape))
