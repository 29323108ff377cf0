"""Learning one new skill: curate, tune with rehearsal of the old ones, examine before and after, keep the best.

Knows how a lesson becomes weights; how an LMM is examined is passed in, and nothing is printed here.
"""

from __future__ import annotations

import copy
import logging
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llavaplus_graph.chat_model.checkpoints import Checkpoint, open_checkpoint
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.data.collate import Collator, tokenize
from llavaplus_graph.data.conversations import Composer
from llavaplus_graph.data.curate import render_pictures, training_phrasings
from llavaplus_graph.data.lesson import Lesson
from llavaplus_graph.data.recipe import Recipe, Stage, Tuning
from llavaplus_graph.data.teaching import REHEARSAL, lesson_records
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.train.build import export
from llavaplus_graph.train.finetune import fit
from llavaplus_graph.train.pixels import Pixels

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


RECORDS = 28_000
"""Conversations in a whole lesson: what two CPU cores train in about ten minutes."""

STAGES = (
    Stage("lesson", records=RECORDS * 11 // 15, learning_rate=3e-4, final_rate=0.02),
    Stage("settling", records=RECORDS * 4 // 15, learning_rate=5e-5, final_rate=0.02),
)
"""A steep stage that learns the skill, and a gentle one that may mend what it cost; the better one is kept."""

_SPARED = 0.01  # what the old skills may lose for nothing
_WEIGHT = 3.0  # of what they lose beyond it, against what the new skill gains


def learn(
    lesson: Lesson,
    out: Path,
    examine: Examine,
    *,
    base: str | None = None,
    stages: Sequence[Stage] = STAGES,
    rehearsal: float = REHEARSAL,
    pictures: int = 60,
    seed: int = 7,
) -> Learned:
    """Teach a checkpoint a new skill and write the better of its stages as a new directory.

    Args:
        lesson: The skill and its phrasings.
        out: The directory to make; it must not exist yet.
        examine: Asks the questions, before and after each stage.
        base: The checkpoint that learns; None is the bundled one.
        stages: The curriculum; of each only name, records and learning rates count.
        rehearsal: Share of the records, in [0, 1), that rehearse what the checkpoint knows.
        pictures: Drawn pictures a kind, of nine kinds.
        seed: Seeds every draw.

    Raises:
        ConfigError: If `out` exists, the checkpoint knows the skill already or calls skills by their wire names, or
            there is no stage.
        CheckpointError: If the base cannot be opened.
        DataError: If the skill cannot be run.
    """
    started = time.monotonic()
    if not stages:
        raise ConfigError("there is no stage to train; give at least one.")
    name = lesson.tool.name
    opened = _opened(name, out, base)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be made: {error.strerror}; name another directory.") from error
    before = tuple(examine(base))
    dialect = replace(opened.dialect, skills=(*opened.dialect.skills, name))
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        recipe = Recipe(Path(folder), seed=seed, pictures=pictures, tuning=Tuning(save_steps=100_000))
        merits: list[tuple[float, tuple[Score, ...], Path]] = []
        for stage in _tuned(opened, lesson, dialect, stages, rehearsal, recipe):
            target = recipe.out / f"{stage.name}-export"
            export(copy.deepcopy(opened.model), opened.processor, target)
            dialect.save(target)
            scores = tuple(examine(str(target)))
            merits.append((_merit(before, scores, name), scores, target))
            _log.info("after %s: merit %.3f", stage.name, merits[-1][0])
        _, after, best = max(merits, key=lambda row: row[0])
        best.replace(out)
    return Learned(out, before, after, (time.monotonic() - started) / 60)


def _opened(name: str, out: Path, base: str | None) -> Checkpoint:
    """Open the checkpoint that learns, if it can learn this."""
    if out.exists():
        raise ConfigError(f"{str(out)!r} exists already and is not overwritten; name another directory.")
    opened = open_checkpoint(base)
    if name in opened.dialect.skills:
        raise ConfigError(f"{opened.name} has learned {name} already; its skills are in llavaplus.json.")
    if opened.dialect.names != "skills":
        raise ConfigError(f"{opened.name} calls skills by their wire names; lessons are for LMMs that use skill names.")
    return opened


def _tuned(
    opened: Checkpoint, lesson: Lesson, dialect: Dialect, stages: Sequence[Stage], rehearsal: float, recipe: Recipe
) -> Iterator[Stage]:
    """Train the model of a checkpoint in place on the lesson and on what it knows; gives each stage when it is done."""
    facts = render_pictures(recipe)
    model, tokenizer = opened.model, opened.processor.tokenizer
    model.set_attn_implementation("eager")  # on a CPU and at these lengths faster than the fused kernel
    collator = Collator(Pixels(recipe.data, opened.processor), int(tokenizer.pad_token_id))
    phrasings = training_phrasings()
    for stage in stages:
        rng = random.Random(f"{recipe.seed}/{stage.name}")
        composer = Composer(phrasings, facts, rng)
        records = lesson_records(lesson, facts, recipe.data, composer, stage.records, rng, rehearsal=rehearsal)
        seats = int(model.config.image_seq_length)
        samples = [tokenize(record, tokenizer, dialect.conversation, seats) for record in records]
        fit(recipe, stage, model, samples, collator)
        yield stage


def _merit(before: Sequence[Score], after: Sequence[Score], new: str) -> float:
    """Give the share of right calls of the new skill, less what the old ones lost beyond what is spared."""

    def share(scores: Sequence[Score], group: str) -> float:
        return sum(score.call for score in scores if score.group == group)

    lost = share(before, "all") - share(after, "all")
    return share(after, new) - _WEIGHT * max(0.0, lost - _SPARED)
