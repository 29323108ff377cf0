"""Trains one stage in place and leaves its weights in a file; an interrupted stage goes on where its checkpoint is.

Knows samples and settings; neither recipes nor where samples come from.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.trainer_callback import PrinterCallback

from llavaplus_graph.data.collate import Collator, Sample
from llavaplus_graph.errors import DataError
from llavaplus_graph.train import ranks
from llavaplus_graph.train.batches import plan, share
from llavaplus_graph.train.report import Exam, Meter, Reporter, Tell
from llavaplus_graph.train.room import check_room, explained
from llavaplus_graph.train.settings import Settings, arguments
from llavaplus_graph.train.state import WEIGHTS, complete, write_weights
from llavaplus_graph.train.trainer import CurriculumTrainer

_log = logging.getLogger(__name__)


def train_stage(
    settings: Settings,
    folder: Path,
    model: Any,
    samples: Sequence[Sample],
    collator: Collator,
    tell: Tell | None = None,
    exam: Exam | None = None,
) -> Any:
    """Train a model in place on the samples of one stage; goes on from the last checkpoint of the stage.

    Args:
        settings: How.
        folder: Where the stage's checkpoints go.
        model: A `LlavaForConditionalGeneration`; its parameters that require gradients are trained.
        samples: Tokenized records.
        collator: Makes batches of them.
        tell: Is told every step.
        exam: Examines the model now and then.

    Returns:
        The model as it was trained, which is sharded where the processes share it.

    Raises:
        DataError: If there are no samples.
        TrainingError: If the loss is not a number or the disk is full.
    """
    if not samples:
        raise DataError(f"There is nothing to train stage {settings.name!r} on; see what was left out, and why.")
    whole = plan(
        samples, positions=settings.positions, size=settings.samples, epochs=settings.epochs, seed=settings.seed
    )
    batches = share(whole, ranks.rank(), ranks.count())
    steps = -(-len(batches) // settings.accumulate)
    tokens = sum(len(sample.ids) for sample in samples)
    _log.info("stage %s: %d samples, %d tokens, %d steps", settings.name, len(samples), tokens, steps)
    check_room(model, folder)
    trainer = CurriculumTrainer(
        model=model,
        args=arguments(settings, folder, steps),
        train_dataset=samples,
        data_collator=collator,
        callbacks=[Reporter(settings.name, tell, exam)],
    )
    trainer.batches = batches
    trainer.remove_callback(PrinterCallback)  # what it prints is logged, and stdout belongs to the caller
    resumed = last_whole_checkpoint(folder)
    meter = Meter(samples, batches)
    with explained(folder):
        trainer.train(resume_from_checkpoint=resumed)
    first = int(resumed.rpartition("-")[2]) * settings.accumulate if resumed else 0
    _log.info("stage %s: %s", settings.name, meter.line(first, ranks.count()))
    return trainer.model


def finish_stage(model: Any, folder: Path) -> None:
    """Write the trained parameters as the stage's result."""
    with explained(folder):
        write_weights(model, folder / WEIGHTS, here=ranks.rank() == 0)
    ranks.meet()


def last_whole_checkpoint(folder: Path) -> str | None:
    """Give the newest checkpoint with a state: the Trainer writes it last, so a save that was cut off has none."""
    whole = [path for path in folder.glob("checkpoint-*") if complete(path)]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None
