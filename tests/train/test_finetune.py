import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.data.collate import Collator, Sample, tokenize
from llavaplus_graph.data.curate import curate, stage_records
from llavaplus_graph.data.recipe import Recipe, Shape, Stage, Tuning
from llavaplus_graph.errors import DataError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.protocol import V1
from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.train.build import build_model, build_processor, image_tokens
from llavaplus_graph.train.finetune import CurriculumTrainer, Pixels, finetune, plan_batches
from llavaplus_graph.train.vocabulary import train_tokenizer

SHAPE = Shape(
    vocabulary=400,
    width=32,
    layers=1,
    heads=2,
    feed_forward=48,
    picture=32,
    patch=16,
    vision_width=16,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=24,
)
WORDS = Stage("words", 40, answer_drills=0.3, learning_rate=2e-2)
SEEN = Stage("pictures", 40, sight_drills=0.3, pictured=0.9, learning_rate=1e-2)
TUNING = Tuning(tokens_per_step=800, save_steps=4, log_steps=1)


class Log(logging.Handler):
    """What training reports, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def losses(self, stage: str) -> list[float]:
        found = (re.match(rf"{stage}: step \d+/\d+ loss ([\d.]+)", line) for line in self.lines)
        return [float(match.group(1)) for match in found if match]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model loses more by waiting for threads than it gains by them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def log() -> Iterator[Log]:
    logger, handler = logging.getLogger("llavaplus_graph.train"), Log()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    recipe = Recipe(tmp_path_factory.mktemp("mini"), 5, 1, (WORDS, SEEN), SHAPE, TUNING)
    curate(recipe)
    return recipe


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["USER: what does it say ASSISTANT:"] * 8, [], 300)


def elsewhere(curated: Recipe, out: Path, *stages: Stage) -> Recipe:
    """The same data in a run of its own."""
    out.mkdir(exist_ok=True)
    (out / "data").symlink_to(curated.data)
    return replace(curated, out=out, stages=stages)


def ticks(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_a_run_that_ended_after_a_stage_goes_on_without_it_and_its_export_opens(
    curated: Recipe, tmp_path: Path, log: Log
) -> None:
    recipe = elsewhere(curated, tmp_path / "run", WORDS, SEEN)
    finetune(replace(recipe, stages=(WORDS,)))
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

    store = ImageStore("memory://finetune")
    lmm = ChatLlavaPlus(model=str(target), store=store, max_tokens=24)
    assert lmm.dialect.skills == tuple(info.name for info in CATALOGUE)
    question = user_message("what does it say", images=[Image.new("RGB", (40, 30), "white")], store=store)
    reply = lmm.invoke([question])
    assert reply.response_metadata["finish_reason"] in ("stop", "length")
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] > 0


def test_a_run_that_broke_off_within_a_stage_goes_on_from_its_last_whole_checkpoint(
    curated: Recipe, tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = elsewhere(curated, tmp_path / "run", WORDS)
    compute = CurriculumTrainer.compute_loss
    batches: list[list[int]] = []

    def counted(self: CurriculumTrainer, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if len(batches) == 6:
            batches.append([])
            raise KeyboardInterrupt
        batches.append(inputs["input_ids"].flatten().tolist())
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(CurriculumTrainer, "compute_loss", counted)
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe)
    folder = recipe.out / "checkpoints" / "words"
    assert [path.name for path in folder.glob("*")] == ["checkpoint-4"]
    (folder / "checkpoint-8").mkdir()  # a save that was cut off

    finetune(recipe)
    before, after = batches[:6], batches[7:]
    steps = int(re.search(r"(\d+) steps", next(line for line in log.lines if " steps" in line)).group(1))  # type: ignore[union-attr]
    assert after[:2] == before[4:6]
    assert len(after) == steps - 4


def test_without_curated_data_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run `llavaplus curate`"):
        finetune(Recipe(tmp_path, stages=(WORDS,), shape=SHAPE))


@settings(deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=80),
    tokens=st.integers(min_value=1, max_value=200),
)
def test_batches_hold_every_sample_once_and_no_more_positions_than_allowed(lengths: Sequence[int], tokens: int) -> None:
    samples = [Sample([0] * length, [True] * length, ()) for length in lengths]
    batches = plan_batches(samples, tokens, 1)
    assert sorted(index for batch in batches for index in batch) == list(range(len(samples)))
    assert all(len(batch) * max(lengths[index] for index in batch) <= max(tokens, 60) for batch in batches)
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= tokens for batch in batches)
    assert batches == plan_batches(samples, tokens, 1)


def test_batches_come_in_another_order_with_another_seed() -> None:
    samples = [Sample([0], [True], ()) for _ in range(40)]
    assert plan_batches(samples, 4, 1) != plan_batches(samples, 4, 2)


def test_pictures_are_what_the_processor_makes_of_them(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    processor = build_processor(SHAPE, tokenizer)
    picture = Image.effect_noise((50, 40), 70).convert("RGB")
    picture.save(tmp_path / "a.png")
    pixels = Pixels(tmp_path, processor)
    first, again = pixels["a.png"], pixels["a.png"]
    expected = processor.image_processor(picture, return_tensors="pt")["pixel_values"][0]
    assert torch.allclose(first, expected, atol=0.02)  # kept as bytes
    assert torch.equal(first, again)
    assert (list(pixels), len(pixels)) == (["a.png"], 1)


def test_the_loss_is_that_of_the_model_over_the_trained_positions(
    curated: Recipe, tokenizer: PreTrainedTokenizerFast
) -> None:
    model = build_model(SHAPE, tokenizer, 1).eval()
    pixels = Pixels(curated.data, build_processor(SHAPE, tokenizer))
    samples = [tokenize(record, tokenizer, V1, image_tokens(SHAPE)) for record in stage_records(curated, SEEN)]
    batch = Collator(pixels, tokenizer.pad_token_id)([sample for sample in samples if sample.images][:4])
    plain: Any = SimpleNamespace(args=SimpleNamespace(bf16=False))
    with torch.inference_mode():
        loss = CurriculumTrainer.compute_loss(plain, model, batch)
        expected = model(**batch).loss
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)
