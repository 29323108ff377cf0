"""Goes on from an LMM that exists, by a recipe with a base: stage after stage to a directory that opens; resumable.

Every stage leaves only the weights it trained. The LMM that comes out is put together from the base and these, in full
precision, so that it does not matter how the base was held while it was tuned.
"""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from llavaplus_graph.chat_model.chat_template import FILE, chat_template
from llavaplus_graph.chat_model.checkpoints import (
    Checkpoint,
    check_directory,
    directory_of,
    open_checkpoint,
    open_processor,
)
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.data.collate import Sample, tokenize, tokenize_caption
from llavaplus_graph.data.record import Record, picture_file
from llavaplus_graph.data.sources.released import Tally, read_released
from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import IMAGE
from llavaplus_graph.train import parts, provenance, ranks
from llavaplus_graph.train.config import Source, TunedRecipe, TunedStage
from llavaplus_graph.train.figure import draw_losses
from llavaplus_graph.train.fitting import finish_stage, train_stage
from llavaplus_graph.train.pixels import Pixels, make_collator
from llavaplus_graph.train.report import Watch
from llavaplus_graph.train.room import explained
from llavaplus_graph.train.settings import tuned_settings_of
from llavaplus_graph.train.state import WEIGHTS, read_weights, write_weights

_log = logging.getLogger(__name__)
_MINI = "mini"
_CUT_OFF = "nothing of the answer is left when it is cut to the longest conversation"
_NOT_SEEN = "it has no picture, and the stage trains only what pictures pass through"


def tune(recipe: TunedRecipe, watch: Watch | None = None) -> Path:
    """Tune the LMM of a recipe and export it; an interrupted run goes on from its last checkpoint.

    Args:
        recipe: A recipe with a base.
        watch: Who is told how it goes.

    Returns:
        The exported directory, ready for `ChatLlavaPlus(model=...)`.

    Raises:
        CheckpointError: If the base is no LLaVA checkpoint.
        ConfigError: If this machine cannot do what is asked, or a stage was trained by another recipe before.
        DataError: If the records cannot be read or none is left.
        MissingExtraError: If the recipe needs an extra that is not installed.
        TrainingError: If the loss is not a number or the disk is full.
    """
    started = time.monotonic()
    watch = watch or Watch()
    parts.check_machine(recipe)
    check_directory(directory_of(_base(recipe)))
    before = ""
    for index, stage in enumerate(recipe.stages):
        folder = _folder(recipe, stage)
        facts = _facts(recipe, stage, before)
        before = provenance.digest(facts)
        with ranks.first_alone():
            provenance.check(folder, facts)
        if (folder / WEIGHTS).exists():
            _log.info("stage %s: done before", stage.name)
        else:
            _train(recipe, index, watch)
    target = recipe.out / "export"
    if ranks.rank() == 0:
        weights = [_folder(recipe, stage) / WEIGHTS for stage in recipe.stages]
        _publish(recipe, weights, target)
        draw_losses([_folder(recipe, stage) for stage in recipe.stages], recipe.out / "loss.png")
    _log.info("exported to %s after %.0f minutes", target, (time.monotonic() - started) / 60)
    ranks.meet()
    return target


def _train(recipe: TunedRecipe, index: int, watch: Watch) -> None:
    """Train one stage on top of those before it."""
    stage, tuning = recipe.stages[index], recipe.tuning
    done = [_folder(recipe, earlier) / WEIGHTS for earlier in recipe.stages[:index]]
    opened = open_checkpoint(_base(recipe), dtype=parts.stored_as(recipe, stage), quantization=tuning.quantization)
    lmm = _with_stages(opened.model, recipe, done)
    torch.manual_seed(recipe.seed)  # adapters begin at random
    lmm = parts.trainee(parts.prepare(lmm, stage, quantized=tuning.quantization is not None))
    lmm.config.use_cache = False
    trained = sum(weight.numel() for weight in lmm.parameters() if weight.requires_grad)
    _log.info("stage %s trains %.2f million parameters", stage.name, trained / 1e6)
    seats = image_seats(opened.processor)
    samples = list(stage_samples(recipe, stage, opened, seats))
    collator = make_collator(opened.processor, Pixels(Path(), opened.processor), seats)

    def publish(now: Any, target: Path) -> None:
        write_weights(now, target / WEIGHTS)
        _publish(recipe, [*done, target / WEIGHTS], target)

    exam = None if parts.sharded() else watch.exam(tuning.exam_steps, tuning.exam_questions, publish)
    folder = _folder(recipe, stage)
    settings = tuned_settings_of(recipe, stage)
    finish_stage(train_stage(settings, folder, lmm, samples, collator, watch.tell, exam), folder)


def stage_samples(recipe: TunedRecipe, stage: TunedStage, opened: Checkpoint, seats: int) -> Iterator[Sample]:
    """Read and tokenize the records of a stage; says what was left out and why.

    Args:
        recipe: Says how long a conversation may be and how the LMM speaks.
        stage: Says which records.
        opened: The base.
        seats: How many positions a picture takes.

    Raises:
        DataError: If a file cannot be read.
    """
    tokenizer, template = opened.processor.tokenizer, dialect_of(recipe, opened.dialect).conversation
    only_sight = "language" not in stage.trains
    for source in stage.data:
        tally = Tally()
        for record in _records(source, tally):
            if stage.form == "caption":
                sample = tokenize_caption(record, tokenizer, seats)
            else:
                sample = tokenize(record, tokenizer, template, seats)
            kept = _cut(sample, recipe.tuning.longest, seats, int(opened.processor.image_token_id))
            problem = _CUT_OFF if kept is None else _NOT_SEEN if only_sight and not sample.images else ""
            if kept is None or problem:
                tally.kept -= 1
                tally.drop(problem, sample.name)
            else:
                yield kept
        _log.info("%s: %d records", source.records, tally.kept)
        for reason, count in tally.dropped.items():
            _log.warning("%s: left out %d, because %s; %s", source.records, count, reason, tally.examples[reason])


def first_tuned_samples(recipe: TunedRecipe) -> tuple[Iterator[Sample], Any]:
    """Give the samples of the first stage as they would be trained, and the tokenizer that decodes them.

    Raises:
        CheckpointError: If the base has no tokenizer or processor.
        DataError: If the records cannot be read.
    """
    directory = directory_of(_base(recipe))
    check_directory(directory)
    opened = Checkpoint(None, open_processor(directory), Dialect.load(directory), directory.name)
    seats = image_seats(opened.processor)
    return stage_samples(recipe, recipe.stages[0], opened, seats), opened.processor.tokenizer


def dialect_of(recipe: TunedRecipe, base: Dialect) -> Dialect:
    """Give the dialect that the tuned LMM speaks."""
    changed = {key: value for key, value in asdict(recipe.speech).items() if value is not None}
    return replace(base, **changed)


def image_seats(processor: Any) -> int:
    """Count the positions a picture takes."""
    tokens = processor(images=[Image.new("RGB", (8, 8))], text=IMAGE)["input_ids"][0]
    return list(tokens).count(processor.image_token_id)


def _records(source: Source, tally: Tally) -> Iterator[Record]:
    """Read the records of a source, their pictures by full path: two sources may use the same names."""
    found = read_released(source.records, images=source.images, tally=tally)
    for record in islice(found, source.most or None):
        yield replace(record, images=tuple(_located(name, source) for name in record.images))


def _located(name: str, source: Source) -> str:
    path = picture_file(name, source.images)
    if path is None:
        raise DataError(f"{str(source.records)!r} shows {name!r}; give the folder of its pictures as 'images'.")
    return str(path.absolute())


def _cut(sample: Sample, longest: int, seats: int, image: int) -> Sample | None:
    """Cut a sample to the longest and pack it into a few bytes a token; None when no answer is left of it."""
    ids, trained = array("i", sample.ids[:longest]), array("b", map(bool, sample.trained[:longest]))
    if not any(trained) or ids.count(image) != seats * len(sample.images):
        return None
    return Sample(ids, trained, sample.images, sample.name)


def _with_stages(lmm: Any, recipe: TunedRecipe, weights: Iterable[Path]) -> Any:
    """Put what earlier stages trained into a base, adapters merged."""
    for stage, path in zip(recipe.stages, weights, strict=False):
        wrapped = parts.prepare(lmm, stage)
        read_weights(parts.trainee(wrapped), path)
        lmm = parts.merged(wrapped)
    return lmm


def _publish(recipe: TunedRecipe, weights: Sequence[Path], target: Path) -> None:
    """Write the base with what the stages trained as a directory of its own."""
    opened = open_checkpoint(_base(recipe), dtype="float32")
    lmm = _with_stages(opened.model, recipe, weights).to(torch.bfloat16)
    lmm.config.use_cache = True
    dialect = dialect_of(recipe, opened.dialect)
    with explained(target):
        lmm.save_pretrained(target)
        opened.processor.save_pretrained(target)
        dialect.save(target)
        (target / FILE).write_text(chat_template(dialect), "utf-8")


def _base(recipe: TunedRecipe) -> str | None:
    return None if recipe.base == _MINI else recipe.base


def _folder(recipe: TunedRecipe, stage: TunedStage) -> Path:
    return recipe.out / "checkpoints" / stage.name


def _facts(recipe: TunedRecipe, stage: TunedStage, before: str) -> provenance.Facts:
    base = directory_of(_base(recipe))
    how = {key: value for key, value in asdict(stage).items() if key != "data"}
    data = [[provenance.fingerprint([source.records]), source.most] for source in stage.data]
    return {
        "stage": how | tuned_settings_of(recipe, stage).deciding(),
        "base": provenance.fingerprint([base / "config.json"]),
        "base_bytes": sum(path.stat().st_size for path in base.glob("*.safetensors")),
        "speech": asdict(recipe.speech),
        "longest": recipe.tuning.longest,
        "quantization": recipe.tuning.quantization,
        "data": data,
        "before": before,
        "processes": ranks.count(),
    }
