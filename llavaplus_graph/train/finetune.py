"""Makes a new LMM by a recipe: the curriculum in order, from random weights to a directory that opens; resumable.

Knows what a recipe says; what the conversations say is settled by curation, and steps are left to `fitting`.
"""

import copy
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.data.collate import Collator, Sample, tokenize
from llavaplus_graph.data.curate import render_pictures, shard_files, stage_records
from llavaplus_graph.data.recipe import Recipe, Stage
from llavaplus_graph.protocol import Template
from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.train import provenance, ranks
from llavaplus_graph.train.build import build_model, build_processor, export, image_tokens
from llavaplus_graph.train.eye import teach_eye
from llavaplus_graph.train.figure import draw_losses
from llavaplus_graph.train.fitting import finish_stage, train_stage
from llavaplus_graph.train.pixels import Pixels, make_collator
from llavaplus_graph.train.report import Watch
from llavaplus_graph.train.room import explained
from llavaplus_graph.train.settings import settings_of
from llavaplus_graph.train.state import WEIGHTS, read_weights
from llavaplus_graph.train.vocabulary import train_tokenizer

_log = logging.getLogger(__name__)
_LEARNED_FROM = 60_000  # records that the tokenizer is learned from


def finetune(recipe: Recipe, watch: Watch | None = None) -> Path:
    """Train the LMM of a recipe and export it; an interrupted run goes on from its last checkpoint.

    Args:
        recipe: A recipe whose data have been curated.
        watch: Who is told how it goes.

    Returns:
        The exported directory, ready for `ChatLlavaPlus(model=...)`.

    Raises:
        ConfigError: If a stage was trained by another recipe before.
        DataError: If the data have not been curated.
        TrainingError: If the loss is not a number or the disk is full.
    """
    started = time.monotonic()
    watch = watch or Watch()
    dialect = new_dialect()
    with ranks.first_alone():
        tokenizer = _tokenizer(recipe, dialect.conversation)
    processor = build_processor(recipe.shape, tokenizer)
    seats = image_tokens(recipe.shape)
    pixels = Pixels(recipe.data, processor)
    collator = make_collator(processor, pixels, seats)
    model = _new(recipe, tokenizer)

    def publish(model: Any, target: Path) -> None:
        export(model, processor, target)
        dialect.save(target)

    exam = watch.exam(
        recipe.tuning.exam_steps, recipe.tuning.exam_questions, lambda now, at: publish(copy.deepcopy(now), at)
    )
    _log.info("%.2f million parameters", sum(p.numel() for p in model.parameters()) / 1e6)
    before = _teach_eye(recipe, model, pixels)
    for stage in recipe.stages:
        folder = _folder(recipe, stage)
        facts = _facts(recipe, stage, before)
        before = provenance.digest(facts)
        with ranks.first_alone():
            provenance.check(folder, facts)
        if not (folder / WEIGHTS).exists():
            template = dialect.conversation
            samples = [tokenize(record, tokenizer, template, seats) for record in stage_records(recipe, stage)]
            settings = settings_of(recipe, stage)
            trained = train_stage(settings, folder, model, samples, collator, watch.tell, exam)
            finish_stage(trained, folder)
            model = model if trained is model else _new(recipe, tokenizer)
        else:
            _log.info("stage %s: done before", stage.name)
        read_weights(model, folder / WEIGHTS)
    target = recipe.out / "export"
    if ranks.rank() == 0:
        with explained(target):
            publish(model, target)
        draw_losses([_folder(recipe, stage) for stage in recipe.stages], recipe.out / "loss.png")
    _log.info("exported to %s after %.0f minutes", target, (time.monotonic() - started) / 60)
    ranks.meet()
    return target


def fit(recipe: Recipe, stage: Stage, model: Any, samples: Sequence[Sample], collator: Collator) -> None:
    """Train a model in place on the samples of one stage; goes on from the last checkpoint of the stage.

    Args:
        recipe: How to train, and where the checkpoints go.
        stage: The stage's name and learning rates.
        model: A `LlavaForConditionalGeneration`.
        samples: Tokenized records.
        collator: Makes batches of them.
    """
    train_stage(settings_of(recipe, stage), _folder(recipe, stage), model, samples, collator)


def first_samples(recipe: Recipe) -> tuple[Iterator[Sample], Any]:
    """Give the samples of the first stage as they would be trained, and the tokenizer that decodes them.

    Raises:
        DataError: If the data have not been curated.
    """
    template = new_dialect().conversation
    tokenizer = _tokenizer(recipe, template)
    seats = image_tokens(recipe.shape)
    records = stage_records(recipe, recipe.stages[0])
    return (tokenize(record, tokenizer, template, seats) for record in records), tokenizer


def new_dialect() -> Dialect:
    """Say how an LMM that is made from nothing speaks."""
    skills = tuple(info.name for info in CATALOGUE)
    return Dialect(template="v1", system="", names="skills", skills=skills, grounded=True)


def _new(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> Any:
    model = build_model(recipe.shape, tokenizer, recipe.seed)
    model.set_attn_implementation("eager")  # on a CPU and at these lengths a third faster than the fused kernel
    return model


def _teach_eye(recipe: Recipe, model: Any, pixels: Pixels) -> str:
    """Train the eye first, where the recipe wants it, and give a digest of what decided on it."""
    if recipe.eye is None:
        return ""
    folder = recipe.out / "checkpoints" / "eye"
    facts = {
        "eye": asdict(recipe.eye),
        "shape": asdict(recipe.shape),
        "pictures": recipe.pictures,
        "seed": recipe.seed,
    }
    with ranks.first_alone():
        provenance.check(folder, facts)
        teach_eye(model.model.vision_tower, pixels, render_pictures(recipe), recipe.eye, recipe.seed, folder / WEIGHTS)
    return provenance.digest(facts)


def _folder(recipe: Recipe, stage: Stage) -> Path:
    return recipe.out / "checkpoints" / stage.name


def _facts(recipe: Recipe, stage: Stage, before: str) -> provenance.Facts:
    data = provenance.fingerprint(shard_files(recipe, stage))
    how = settings_of(recipe, stage).deciding()
    return {
        "stage": asdict(stage) | how,
        "shape": asdict(recipe.shape),
        "data": data,
        "before": before,
        "processes": ranks.count(),
    }


def _tokenizer(recipe: Recipe, template: Template) -> PreTrainedTokenizerFast:
    """Load the tokenizer of an interrupted run or learn it from the records of the first stage."""
    folder = recipe.out / "tokenizer"
    data = provenance.fingerprint(shard_files(recipe, recipe.stages[0]))
    provenance.check(folder, {"vocabulary": recipe.shape.vocabulary, "data": data})
    if (folder / "tokenizer.json").exists():
        loaded: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
        return loaded
    records = islice(stage_records(recipe, recipe.stages[0]), _LEARNED_FROM)
    texts = (template.render(record.turns()) for record in records)
    tokenizer = train_tokenizer(texts, [info.name for info in CATALOGUE], recipe.shape.vocabulary)
    tokenizer.save_pretrained(folder)
    return tokenizer
