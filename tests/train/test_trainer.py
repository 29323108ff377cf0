import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.data.collate import Collator, Sample, tokenize
from llavaplus_graph.data.curate import stage_records
from llavaplus_graph.data.recipe import Recipe
from llavaplus_graph.errors import TrainingError
from llavaplus_graph.protocol import V1
from llavaplus_graph.train.build import build_model, build_processor, image_tokens
from llavaplus_graph.train.fitting import train_stage
from llavaplus_graph.train.pixels import Pixels
from llavaplus_graph.train.settings import Settings, arguments
from llavaplus_graph.train.trainer import CurriculumTrainer
from llavaplus_graph.train.vocabulary import train_tokenizer

PLAIN = Settings("words", seed=1, learning_rate=1e-2, bf16=False, samples=2, save_steps=2, log_steps=1)
TALK = [Sample([5, 6, 7, 8 + n], [False, False, True, True], (), f"r{n}") for n in range(8)]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["USER: what does it say ASSISTANT:"] * 8, [], 300)


@pytest.fixture
def model(curated: Recipe, tokenizer: PreTrainedTokenizerFast) -> Any:
    return build_model(curated.shape, tokenizer, 1)


def test_the_loss_is_that_of_the_model_over_the_trained_positions(
    curated: Recipe, tokenizer: PreTrainedTokenizerFast, model: Any, tmp_path: Path
) -> None:
    pixels = Pixels(curated.data, build_processor(curated.shape, tokenizer))
    seats = image_tokens(curated.shape)
    samples = [tokenize(record, tokenizer, V1, seats) for record in stage_records(curated, curated.stages[1])]
    collator = Collator(pixels, int(tokenizer.pad_token_id))
    batch = collator([sample for sample in samples if sample.images][:4])
    trainer = CurriculumTrainer(model.eval(), arguments(PLAIN, tmp_path, 1), collator, samples)
    with torch.inference_mode():
        loss = trainer.compute_loss(model, batch)
        wrapped = trainer._logits_of_wrapped(model, batch, batch["labels"][:, 1:] != -100)
        expected = model(**batch).loss
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)
    labels = batch["labels"][:, 1:]
    assert float(torch.nn.functional.cross_entropy(wrapped, labels[labels != -100])) == pytest.approx(float(expected))


def test_two_batches_of_one_step_count_as_one_batch_of_both(
    curated: Recipe, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    uneven = [*TALK[:2], Sample([9, 10, 11], [False, True, False], ()), Sample([9, 12], [False, True], ())]
    logged = []
    for size, together in ((4, 1), (2, 2)):
        model = build_model(curated.shape, tokenizer, 1)
        settings = replace(PLAIN, samples=size, accumulate=together)
        train_stage(settings, tmp_path / str(size), model, uneven, Collator({}, 0))
        history = json.loads((tmp_path / str(size) / "history.json").read_text("utf-8"))
        logged.append([history[0]["step"], history[0]["loss"], history[0]["grad_norm"]])
    assert logged[0] == pytest.approx(logged[1], rel=1e-5)


class Spoilt(Collator):
    """Makes the pixels of one sample no number, as a broken file might."""

    def __call__(self, samples: Any) -> dict[str, torch.Tensor]:
        batch = super().__call__(samples)
        if any(sample.name == "r5" for sample in samples):
            batch["pixel_values"] = torch.full((1, 3, 32, 32), float("nan"))
        return batch


def test_a_loss_that_is_no_number_stops_names_the_sample_and_keeps_the_state_before_it(
    curated: Recipe, tokenizer: PreTrainedTokenizerFast, model: Any, tmp_path: Path
) -> None:
    image = int(tokenizer.convert_tokens_to_ids("<image>"))  # type: ignore[arg-type]  # one token, one id
    seen = [*[image] * image_tokens(curated.shape), 6, 7]
    samples = [*TALK[:5], Sample(seen, [False] * (len(seen) - 1) + [True], (), "r5"), *TALK[6:]]
    settings = replace(PLAIN, samples=2, epochs=3, save_steps=100)
    with pytest.raises(TrainingError, match=r"the loss is nan, at r5; the state before it is kept in") as stopped:
        train_stage(settings, tmp_path, model, samples, Spoilt({}, 0))
    kept = next(tmp_path.glob("checkpoint-*"))
    assert str(kept) in str(stopped.value)
    assert all(bool(torch.isfinite(weight).all()) for weight in model.parameters())


def test_weights_do_not_follow_a_gradient_that_is_no_number(model: Any, tmp_path: Path) -> None:
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    weight = model.lm_head.weight
    weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingError, match=r"In step 1 the gradient is (nan|inf), at r.*nothing was changed by it"):
        train_stage(PLAIN, tmp_path, model, TALK, Collator({}, 0))
    assert all(torch.equal(value, dict(model.named_parameters())[name]) for name, value in before.items())
