"""Which samples are made: a picture, a way of asking and a split for each. Pure; knows no labeller and no skill.

Pictures and ways of asking (phrasing families) are divided between training and examination before anything is drawn,
so that no held-out record shares either with a trained one.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from llavaplus_graph.data.curation.spec import Spec, Task
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import DataError

Split = Literal["train", "held_out"]
SPLITS: tuple[Split, Split] = ("train", "held_out")


@dataclass(frozen=True, slots=True)
class Part:
    """One question to be asked: its task, the way of asking it, and how often this pair was drawn before."""

    task: Task
    intention: str
    variation: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One conversation to be made.

    Attributes:
        name: Unique within the run, and the id of the record.
        task: The task that asks for it.
        context: What is known of its picture.
        parts: Its questions in order.
        split: Where the record goes.
        seed: Seeds every draw for this sample.
    """

    name: str
    task: Task
    context: ImageContext
    parts: tuple[Part, ...]
    split: Split
    seed: str


def divided(names: Sequence[str], share: float, salt: str) -> dict[Split, list[str]]:
    """Divide names by their hashes, so that the same name always falls on the same side.

    Args:
        names: Pictures, or ways of asking; each counts once.
        share: How many are held out. If it is above 0 and there are two names, both sides get at least one.
        salt: Another one gives another division.
    """
    order = sorted(dict.fromkeys(names), key=lambda name: _share(f"{salt}/{name}"))
    held = [name for name in order if _share(f"{salt}/{name}") < share]
    if share > 0 and len(order) > 1:
        held = held[: len(order) - 1] or order[:1]
    chosen = frozenset(held)
    return {"train": [n for n in names if n not in chosen], "held_out": [n for n in names if n in chosen]}


def plan_samples(spec: Spec, contexts: Sequence[ImageContext], intentions: Mapping[str, Sequence[str]]) -> list[Sample]:
    """Draw the samples of a spec; the same spec, pictures and ways of asking give the same ones, in the same order.

    Args:
        spec: What is asked for.
        contexts: What is known of pictures.
        intentions: Ways of asking by task.

    Raises:
        DataError: If no picture suits a task.
    """
    keys = [_key(context) for context in contexts]
    sides = {s: frozenset(names) for s, names in divided(keys, spec.held_out, f"{spec.seed}/pictures").items()}
    samples: list[Sample] = []
    for task in spec.tasks:
        held = round(task.records * spec.held_out)
        for split, count in zip(SPLITS, (task.records - held, held), strict=True):
            suited = [c for c in contexts if _key(c) in sides[split] and suits(task, c, contexts)]
            if count and not suited:
                raise DataError(
                    f"No {split.replace('_', '-')} picture suits the task {task.name!r}; {_needs(task)}, "
                    f"and {len(sides[split])} of {len(set(keys))} pictures are {split.replace('_', '-')}."
                )
            samples += _drawn(spec, task, suited, split, count, intentions)
    return samples


def suits(task: Task, context: ImageContext, every: Sequence[ImageContext]) -> bool:
    """Tell whether a task can be made of a picture.

    Generation and editing take the contexts with a prompt or an instruction where there are any, else all.
    """
    if task.kind == "generation":
        return context.prompt is not None or not any(other.prompt for other in every)
    if task.kind == "editing":
        told = context.instruction is not None or not any(other.instruction for other in every)
        return bool(context.image) and told
    return bool(context.image) and (task.kind != "absent" or bool(context.objects))


def _drawn(
    spec: Spec,
    task: Task,
    contexts: Sequence[ImageContext],
    split: Split,
    count: int,
    intentions: Mapping[str, Sequence[str]],
) -> list[Sample]:
    """Go through pictures and ways of asking so that no pair comes again before all have come."""
    order = random.Random(f"{spec.seed}/{task.name}/{split}").sample(contexts, len(contexts))
    drawn = []
    for index in range(count):
        name = f"{task.name}-{'held-' if split == 'held_out' else ''}{index}"
        seed = f"{spec.seed}/{name}"
        turns = [spec.task(other) for other in task.of] or [task]
        rng = random.Random(seed)
        chosen = rng.choices(turns, k=task.turns) if task.of else turns
        parts = tuple(
            _part(spec, part, split, index * len(chosen) + turn, len(order), intentions)
            for turn, part in enumerate(chosen)
        )
        drawn.append(Sample(name, task, order[index % len(order)], parts, split, seed))
    return drawn


def _part(
    spec: Spec, task: Task, split: Split, index: int, pictures: int, intentions: Mapping[str, Sequence[str]]
) -> Part:
    known = list(dict.fromkeys(intentions[task.name]))
    side = divided(known, spec.held_out, f"{spec.seed}/{task.name}")[split] or known
    return Part(task, side[(index + index // pictures) % len(side)], index // (pictures * len(side)))


def _key(context: ImageContext) -> str:
    return context.image or context.model_dump_json()


def _needs(task: Task) -> str:
    needed = {"absent": "a picture with objects", "editing": "a picture with an instruction"}
    return f"it needs {needed.get(task.kind, 'a picture')}"


def _share(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
