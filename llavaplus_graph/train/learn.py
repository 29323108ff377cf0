"""Learning one new skill: curate, tune with rehearsal of the old ones, examine before and after, keep the best.

Knows how a lesson becomes weights; how an LMM is examined is passed in, and nothing is printed here.
"""

from __future__ import annotations

import copy
import logging
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.data.collate import Collator, tokenize
from llavaplus_graph.data.conversations import Composer
from llavaplus_graph.data.curate import render_pictures, training_phrasings
from llavaplus_graph.data.lesson import Lesson
from llavaplus_graph.data.recipe import Recipe, Stage, Tuning
from llavaplus_graph.data.teaching import lesson_records
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.train.build import export
from llavaplus_graph.train.finetune import Pixels, fit

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Score:
    """How many questions of a group were asked, and which shares in [0, 1] got the right skill and the right call."""

    group: str
    questions: int
    skill: float
    call: float


Examine = Callable[[str | None], Sequence[Score]]
"""Examines a checkpoint (None: the bundled one): one `Score` a group."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a lesson: the new checkpoint and both examinations."""

    directory: Path
    before: tuple[Score, ...]
    after: tuple[Score, ...]
    minutes: float


STAGES = (
    Stage("lesson", records=6_000, learning_rate=6e-4, final_rate=0.3),
    Stage("settling", records=5_000, learning_rate=3e-4, final_rate=0.02),
)
"""What two CPU cores train in about ten minutes; the second stage lets the rate fall to nothing."""


def learn(
    lesson: Lesson,
    out: Path,
    examine: Examine,
    *,
    base: str | None = None,
    stages: Sequence[Stage] = STAGES,
    pictures: int = 60,
    seed: int = 7,
) -> Learned:
    """Teach a checkpoint a new skill and write the better of its stages as a new directory.

    Args:
        lesson: The skill and its phrasings.
        out: The directory to make; it must not exist yet.
        examine: Asks the questions, before and after.
        base: The checkpoint that learns; None is the bundled one.
        stages: The curriculum; of each only name, records and learning rates count.
        pictures: Drawn pictures a kind, of nine kinds.
        seed: Seeds every draw.

    Raises:
        ConfigError: If `out` exists, or the checkpoint knows the skill already or calls skills by their wire names.
        CheckpointError: If the base cannot be opened.
        DataError: If the skill cannot be run.
    """
    started = time.monotonic()
    if out.exists():
        raise ConfigError(f"{str(out)!r} exists already and is not overwritten; name another directory.")
    name = lesson.tool.name
    opened = open_checkpoint(base)
    if name in opened.dialect.skills:
        raise ConfigError(f"{opened.name} has learned {name} already; its skills are in llavaplus.json.")
    if opened.dialect.names != "skills":
        raise ConfigError(f"{opened.name} calls skills by their wire names; lessons are for LMMs that use skill names.")
    before = tuple(examine(base))
    out.parent.mkdir(parents=True, exist_ok=True)
    dialect = replace(opened.dialect, skills=(*opened.dialect.skills, name))
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        work = Path(folder)
        recipe = Recipe(work, seed=seed, pictures=pictures, tuning=Tuning(save_steps=100_000))
        facts = render_pictures(recipe)
        model = opened.model
        model.set_attn_implementation("eager")
        pixels = Pixels(recipe.data, opened.processor)
        collator = Collator(pixels, int(opened.processor.tokenizer.pad_token_id))
        phrasings = training_phrasings()
        best: tuple[float, tuple[Score, ...], Path] | None = None
        for stage in stages:
            rng = random.Random(f"{seed}/{stage.name}")
            composer = Composer(phrasings, facts, rng)
            records = lesson_records(lesson, facts, recipe.data, composer, stage.records, rng)
            seats = int(model.config.image_seq_length)
            tokenizer = opened.processor.tokenizer
            samples = [tokenize(record, tokenizer, dialect.conversation, seats) for record in records]
            fit(recipe, stage, model, samples, collator)
            target = work / f"{stage.name}-export"
            export(copy.deepcopy(model), opened.processor, target)
            dialect.save(target)
            scores = tuple(examine(str(target)))
            merit = _merit(scores, name)
            _log.info("after %s: %.1f%% of the questions are planned right, weighed", stage.name, 100 * merit)
            if best is None or merit >= best[0]:
                best = (merit, scores, target)
        if best is None:
            raise ConfigError("there is no stage to train; give at least one.")
        best[2].replace(out)
    return Learned(out, before, best[1], (time.monotonic() - started) / 60)


def _merit(scores: Sequence[Score], new: str) -> float:
    """Weigh the new skill as much as all the others together."""
    taught = [score.call for score in scores if score.group == new]
    known = [score.call for score in scores if score.group == "all"]
    return (sum(taught) + sum(known)) / max(1, len(taught) + len(known))
