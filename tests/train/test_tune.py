import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.errors import CheckpointError, ConfigError, DataError, MissingExtraError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.train.config import Lora, Source, Speech, TunedRecipe, TunedStage, TunedTuning
from llavaplus_graph.train.report import Step, Watch
from llavaplus_graph.train.tune import image_seats, stage_samples, tune

ALIGN = TunedStage("projector", ("projector",), learning_rate=2e-3, batch=4, form="caption")
INSTRUCT = TunedStage("instruction", ("projector", "language"), learning_rate=2e-3, batch=4, accumulate=2, epochs=2)
ADAPT = TunedStage("adapters", ("projector", "language"), lora=Lora(rank=4, alpha=8, dropout=0.1), batch=4, epochs=2)
TUNING = TunedTuning(precision="float32", save_steps=2, log_steps=1)


def recipe(out: Path, base: Path, data: Path, *stages: TunedStage, **changes: Any) -> TunedRecipe:
    source = Source(data / "records.json", (data / "pictures",))
    filled = tuple(replace(stage, data=(source,)) for stage in stages)
    return replace(TunedRecipe(out, str(base), filled, tuning=TUNING), **changes)


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return dict(open_checkpoint(str(directory)).model.named_parameters())


def changed(before: Path, after: Path) -> set[str]:
    old, new = weights(before), weights(after)
    assert old.keys() == new.keys()
    return {name.split(".")[1] for name, weight in old.items() if not torch.equal(weight, new[name])}


@pytest.mark.parametrize(
    ("trains", "expected"),
    [
        (("projector",), {"multi_modal_projector"}),
        (("language",), {"language_model"}),
        (("vision",), {"vision_tower"}),
        (("projector", "language"), {"multi_modal_projector", "language_model"}),
    ],
)
def test_only_the_parts_that_a_stage_names_change(
    trains: Any, expected: set[str], base: Path, released: Path, tmp_path: Path
) -> None:
    stage = replace(INSTRUCT, trains=trains, accumulate=1, learning_rate=2e-2)
    target = tune(recipe(tmp_path, base, released, stage))
    assert changed(base, target) == expected
    kept = load_file(tmp_path / "checkpoints" / "instruction" / "model.safetensors")
    assert {name.split(".")[1] for name in kept} <= expected | {"weight"}


def test_two_stages_and_then_adapters_come_out_as_one_directory_that_opens(
    base: Path, released: Path, tmp_path: Path, log: Any
) -> None:
    run = recipe(tmp_path, base, released, ALIGN, INSTRUCT, replace(ADAPT, learning_rate=1e-2))
    target = tune(run)
    assert changed(base, target) == {"multi_modal_projector", "language_model"}
    kept = load_file(tmp_path / "checkpoints" / "adapters" / "model.safetensors")
    adapters = {name for name in kept if "lora_" in name}
    assert adapters
    assert {name.split(".")[1] for name in kept.keys() - adapters} == {"multi_modal_projector"}
    for stage in ("projector", "instruction", "adapters"):
        assert any(f"stage {stage} trains" in line for line in log.lines)

    store = ImageStore("memory://tuned")
    lmm = ChatLlavaPlus(model=str(target), store=store, max_tokens=8)
    assert (lmm.dialect.template, lmm.dialect.names) == ("v0", "wire")
    assert lmm.invoke([user_message("Where is cup 3?", store=store)]).usage_metadata is not None
    assert (target / "chat_template.jinja").exists()


def test_merged_adapters_give_what_the_adapted_model_gave(base: Path, released: Path, tmp_path: Path) -> None:
    from llavaplus_graph.train.parts import merged, prepare, trainee
    from llavaplus_graph.train.state import read_weights

    stage = replace(ADAPT, learning_rate=5e-2)
    target = tune(recipe(tmp_path, base, released, stage))
    wrapped = prepare(open_checkpoint(str(base)).model, stage)
    read_weights(trainee(wrapped), tmp_path / "checkpoints" / "adapters" / "model.safetensors")
    ids = torch.arange(5, 25)[None]
    with torch.inference_mode():
        adapted = trainee(wrapped).eval()(input_ids=ids).logits
        exported = open_checkpoint(str(target)).model(input_ids=ids).logits
        untouched = open_checkpoint(str(base)).model(input_ids=ids).logits
        joined = merged(wrapped)(input_ids=ids).logits
    assert torch.allclose(adapted, joined, atol=1e-4)
    assert torch.allclose(adapted, exported, atol=0.1)  # exported in bfloat16
    assert not torch.allclose(adapted, untouched, atol=0.1)


@pytest.mark.parametrize("stage", [INSTRUCT, ADAPT], ids=["whole", "adapters"])
def test_an_interrupted_stage_goes_on_to_the_same_weights_to_the_bit(
    stage: TunedStage, base: Path, released: Path, tmp_path: Path
) -> None:
    whole, broken = (recipe(tmp_path / name, base, released, stage) for name in ("whole", "broken"))

    def interrupt(step: Step) -> None:
        if step.done == 3:
            raise KeyboardInterrupt

    tune(whole)
    with pytest.raises(KeyboardInterrupt):
        tune(broken, Watch(interrupt))
    told: list[Step] = []
    tune(broken, Watch(told.append))
    assert told[0].done == 3
    first, again = (load_file(run.out / "checkpoints" / stage.name / "model.safetensors") for run in (whole, broken))
    assert first.keys() == again.keys()
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())


def test_recomputing_activations_changes_no_weight(base: Path, released: Path, tmp_path: Path) -> None:
    results = []
    for name, again in (("plain", False), ("again", True)):
        run = recipe(tmp_path / name, base, released, INSTRUCT, tuning=replace(TUNING, recompute=again))
        tune(run)
        results.append(load_file(run.out / "checkpoints" / "instruction" / "model.safetensors"))
    assert all(torch.allclose(weight, results[1][key], atol=1e-5) for key, weight in results[0].items())


def test_a_linear_projector_stays_linear(base: Path, released: Path, tmp_path: Path) -> None:
    opened = open_checkpoint(str(base))
    opened.model.config.projector_hidden_act = "linear"
    linear = tmp_path / "linear"
    opened.model.save_pretrained(linear)
    opened.processor.save_pretrained(linear)
    opened.dialect.save(linear)
    target = tune(recipe(tmp_path / "run", linear, released, replace(ALIGN, learning_rate=2e-2)))
    old, new = weights(linear), weights(target)
    names = {name for name in old if not torch.equal(old[name], new[name])}
    assert names == {f"model.multi_modal_projector.linear_1.{kind}" for kind in ("weight", "bias")}


def test_text_alone_and_pictures_are_mixed_and_what_is_left_out_is_told(
    base: Path, released: Path, tmp_path: Path, log: Any
) -> None:
    records = json.loads((released / "records.json").read_text("utf-8"))
    (tmp_path / "more.json").write_text(json.dumps([*records, {"image": "gone.png"}, {"id": "x"}]), "utf-8")
    source = Source(tmp_path / "more.json", (released / "pictures",))
    stage = replace(INSTRUCT, data=(source, replace(source, most=3)))
    run = TunedRecipe(tmp_path, str(base), (stage,))
    opened = open_checkpoint(str(base))
    samples = list(stage_samples(run, stage, opened, image_seats(opened.processor)))
    assert len(samples) == 15
    assert {len(sample.images) for sample in samples} == {0, 1}
    assert all(Path(name).is_absolute() for sample in samples for name in sample.images)
    assert any("left out 2, because it has no conversation" in line for line in log.lines)


def test_what_is_longer_than_the_longest_is_cut_and_left_out_where_no_answer_remains(
    base: Path, released: Path, log: Any
) -> None:
    opened = open_checkpoint(str(base))
    seats = image_seats(opened.processor)

    def lengths(longest: int) -> Sequence[int]:
        run = recipe(base, base, released, INSTRUCT, tuning=replace(TUNING, longest=longest))
        return [len(sample.ids) for sample in stage_samples(run, run.stages[0], opened, seats)]

    assert max(lengths(2_048)) > 200
    assert max(lengths(200)) == 200
    assert not lengths(20)
    assert any("left out 12, because nothing of the answer is left" in line for line in log.lines)


def test_the_tuned_lmm_speaks_as_the_recipe_says(base: Path, released: Path, tmp_path: Path) -> None:
    speech = Speech(template="v1", names="skills", system="Be brief.")
    target = tune(recipe(tmp_path, base, released, ALIGN, speech=speech))
    dialect = ChatLlavaPlus(model=str(target)).dialect
    assert (dialect.template, dialect.names, dialect.system) == ("v1", "skills", "Be brief.")


def test_examinations_see_the_lmm_as_it_stands(base: Path, released: Path, tmp_path: Path) -> None:
    seen: list[set[str]] = []

    def examine(directory: Path, questions: int) -> dict[str, float]:
        seen.append(changed(base, directory))
        return {"skill": questions / 10}

    tuning = replace(TUNING, exam_steps=2, exam_questions=4)
    tune(recipe(tmp_path, base, released, replace(ADAPT, learning_rate=2e-2), tuning=tuning), Watch(examine=examine))
    assert seen
    assert seen[-1] == {"multi_modal_projector", "language_model"}


def test_a_checkpoint_of_another_architecture_is_one_sentence(released: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "gpt2"}', "utf-8")
    with pytest.raises(CheckpointError, match=r"holds a model of type 'gpt2'; a LLaVA checkpoint .* is needed"):
        tune(recipe(tmp_path, other, released, ALIGN))
    with pytest.raises(CheckpointError, match=r"There is no model directory .*none'"):
        tune(recipe(tmp_path, tmp_path / "none", released, ALIGN))


def test_quantization_says_what_it_needs(
    base: Path, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recipe(tmp_path, base, released, ADAPT, tuning=replace(TUNING, quantization="4bit"))
    monkeypatch.setattr("llavaplus_graph.train.parts.find_spec", lambda name: None if name == "bitsandbytes" else 1)
    with pytest.raises(MissingExtraError, match=r"quantization: 4bit needs .*llavaplus-graph\[quantized\]"):
        tune(run)
    monkeypatch.setattr("llavaplus_graph.train.parts.find_spec", lambda name: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="4bit trains on an NVIDIA GPU and there is none here"):
        tune(run)


def test_adapters_on_layers_that_do_not_exist_are_refused(base: Path, released: Path, tmp_path: Path) -> None:
    stage = replace(ADAPT, lora=Lora(targets=("query_key_value",)))
    with pytest.raises(ConfigError, match="no layer of the language model is called query_key_value"):
        tune(recipe(tmp_path, base, released, stage))


def test_a_recipe_that_failed_before_its_first_checkpoint_may_be_mended(
    base: Path, released: Path, tmp_path: Path
) -> None:
    wrong = replace(ALIGN, lora=Lora(targets=("query_key_value",)), trains=("projector", "language"))
    with pytest.raises(ConfigError, match="no layer of the language model"):
        tune(recipe(tmp_path, base, released, wrong))
    assert (tune(recipe(tmp_path, base, released, ALIGN)) / "config.json").exists()


def test_a_changed_base_or_file_of_records_is_noticed(base: Path, released: Path, tmp_path: Path) -> None:
    run = recipe(tmp_path, base, released, ALIGN)
    tune(run)
    fewer = replace(ALIGN, data=(replace(run.stages[0].data[0], most=2),))
    with pytest.raises(ConfigError, match=r"projector' was trained with another recipe: data was"):
        tune(replace(run, stages=(fewer,)))


def test_pictures_that_no_folder_has_are_an_error_when_no_folder_is_named(
    base: Path, released: Path, tmp_path: Path
) -> None:
    stage = replace(ALIGN, data=(Source(released / "records.json"),))
    with pytest.raises(DataError, match=r"shows '000\.png'; give the folder of its pictures as 'images'"):
        tune(TunedRecipe(tmp_path, str(base), (stage,), tuning=TUNING))
