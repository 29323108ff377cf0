"""A lesson: a new skill and the ways in which people ask for it. Reads and checks both; teaches nobody."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from langchain_core.tools import BaseTool

from llavaplus_graph.data.heldout import Question, plain_words
from llavaplus_graph.data.phrasing import Phrasing, is_closed, read_phrasings_file
from llavaplus_graph.data.requests import make_request
from llavaplus_graph.errors import DataError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skill_files import load_skill_file

FEWEST = 20
"""Phrasings below which nothing can be learned and measured."""

_ENOUGH = 80
_ALIKE = 0.6  # share of common words from which two phrasings say the same
_HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is taught and what it is examined on.

    Attributes:
        tool: The new skill.
        phrasings: Ways to ask for it that are trained.
        held_out: Ways to ask for it that are only examined; none of them is trained.
        warnings: What its author should know, a sentence each.
    """

    tool: BaseTool
    phrasings: tuple[Phrasing, ...]
    held_out: tuple[Phrasing, ...]
    warnings: tuple[str, ...] = ()

    def questions(self) -> list[Question]:
        """Fill every held-out phrasing once and say which call it expects."""
        requests = (make_request(p, random.Random(p.text), strength=0) for p in self.held_out)
        return [Question(r.text, tuple((a.name, a.params) for a in r.actions)) for r in requests]


def read_lesson(skill: Path, examples: Path, store: ImageStore, *, seed: int = 7) -> Lesson:
    """Read the skill and its phrasings; a fifth of each family is held out for the examination.

    Args:
        skill: A Python file that makes one skill: a tool made by `make_skill`, or a factory `(*, store=None)` of one.
        examples: Phrasings in the form of `data/phrasings/*.yaml`. `argument: NAME` says which argument the brackets
            fill, where the skill takes more than one text.
        store: Where the skill finds its pictures.
        seed: Decides which phrasings are held out.

    Raises:
        ConfigError: If the file makes no skill, or its name or an alias is taken.
        DataError: If the phrasings cannot be read, are for another skill or fewer than `FEWEST`.
    """
    tool = load_skill_file(skill, store)
    phrasings = _phrasings(examples, tool)
    kept, held = _split(phrasings, random.Random(seed))
    return Lesson(tool, tuple(kept), tuple(held), tuple(_warnings(phrasings)))


def _phrasings(path: Path, tool: BaseTool) -> list[Phrasing]:
    argument = text_argument(tool)
    read = [replace(p, argument=(p.argument or argument) if "[" in p.text else None) for p in read_phrasings_file(path)]
    other = next((p.skill for p in read if p.skill != tool.name), tool.name)
    if other != tool.name:
        raise DataError(
            f"{path.name} has phrasings for {other!r} and the file makes {tool.name!r}; set 'skill:' to it."
        )
    for phrasing in read:
        _check(phrasing, tool)
    different = list({plain_words(p.text): p for p in read}.values())
    if len(different) < FEWEST:
        raise DataError(
            f"{path.name} has {len(different)} different phrasings; at least {FEWEST} are needed, {_ENOUGH} are better."
        )
    return different


def _check(phrasing: Phrasing, tool: BaseTool) -> None:
    """Refuse a phrasing that cannot be filled or calls the skill as it cannot be called."""
    if not is_closed(phrasing.text):
        raise DataError(f"{phrasing.family}: a bracket or brace of {phrasing.text!r} marks nothing; close or drop it.")
    try:
        made = make_request(phrasing, random.Random(phrasing.text), strength=0)
    except KeyError as error:
        raise DataError(
            f"{phrasing.family}: {phrasing.text!r} has no slot {error} that any vocabulary knows."
        ) from error
    given = {name for action in made.actions for name in action.params}
    unknown = given - tool.args.keys()
    if unknown:
        known = ", ".join(tool.args)
        raise DataError(f"{phrasing.family}: {tool.name} has no argument {min(unknown)!r}; it has {known}.")


def text_argument(tool: BaseTool) -> str | None:
    """Name the argument that brackets fill: the only text that the model gives besides pictures."""
    texts = [name for name, schema in tool.args.items() if schema.get("type") == "string" and "image" not in name]
    return texts[0] if len(texts) == 1 else None


def _split(phrasings: Sequence[Phrasing], rng: random.Random) -> tuple[list[Phrasing], list[Phrasing]]:
    families: dict[str, list[Phrasing]] = defaultdict(list)
    for phrasing in phrasings:
        families[phrasing.family].append(phrasing)
    kept: list[Phrasing] = []
    held: list[Phrasing] = []
    for family in families.values():
        shuffled = rng.sample(family, len(family))
        count = round(_HELD_OUT * len(family) + rng.random() - 0.5) if len(family) > 1 else 0
        held += shuffled[:count]
        kept += shuffled[count:]
    while len(held) < FEWEST // 5:
        held.append(kept.pop(rng.randrange(len(kept))))
    return kept, held


def _warnings(phrasings: Sequence[Phrasing]) -> Iterator[str]:
    if len(phrasings) < _ENOUGH:
        yield f"{len(phrasings)} phrasings are few; with {_ENOUGH} and more the LMM understands what nobody wrote down."
    words = [frozenset(plain_words(p.text)) for p in phrasings]
    twins = sum(
        any(len(a & b) >= _ALIKE * len(a | b) for b in words[:index] + words[index + 1 :])
        for index, a in enumerate(words)
    )
    if twins > 0.3 * len(words):
        yield (
            f"{twins} of {len(words)} phrasings differ from another one in hardly a word; "
            "other verbs, other orders and other reasons teach more than more of the same."
        )
