"""From an authored phrasing to a typed request: the user's text with its visual prompts and the calls it asks for."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llavaplus_graph.data.noise import as_typed
from llavaplus_graph.data.phrasing import Filled, Phrasing, fill
from llavaplus_graph.data.slots import Slots, random_box, random_point
from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import Action, render_boxes, render_points

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SLOT = re.compile(r"^(-?)\{(\w+)\}(%?)$")
_ARGUMENT = {
    "detect_objects": "query",
    "segment_objects": "query",
    "generate_image": "prompt",
    "generate_from_layout": "prompt",
    "inpaint_region": "prompt",
    "edit_image": "instruction",
}
MARKED = ("segment_region", "segment_at_granularities", "segment_by_example")


@dataclass(frozen=True, slots=True)
class Request:
    """What a user types and which calls it asks for, mostly one; without any no skill is needed."""

    text: str
    actions: tuple[Action, ...]
    phrasing: Phrasing

    @property
    def action(self) -> Action | None:
        """The first call that it asks for."""
        return self.actions[0] if self.actions else None


def make_request(
    phrasing: Phrasing, rng: random.Random, *, strength: float = 1.0, value_of: Callable[[str], str] | None = None
) -> Request:
    """Fill a phrasing, let somebody type it and work out the arguments it asks for.

    Args:
        phrasing: The authored line.
        rng: Source of chance.
        strength: How much the typing changes the text, see `as_typed`.
        value_of: Gives the value of a slot; by default it is drawn from the vocabulary.
    """
    filled = as_typed(fill(phrasing, value_of or Slots(rng)), rng, strength=strength)
    wanted = [(call.skill, call.arguments) for call in phrasing.calls]
    if not wanted and phrasing.skill is not None:
        wanted = [(phrasing.skill, phrasing.arguments)]
    text, actions = filled.text, []
    for number, (skill, authored) in enumerate(wanted, start=1):
        if skill in MARKED and not (phrasing.calls and authored):
            args, prompt = _marked(skill, phrasing.marks or "box", filled, rng)
            text += prompt
        else:
            args = _unmarked(skill, authored, filled, phrasing, number)
        actions.append(Action(skill, args))
    return Request(text, tuple(actions), phrasing)


def _unmarked(
    skill: str, authored: Mapping[str, Any] | None, filled: Filled, phrasing: Phrasing, call: int
) -> dict[str, Any]:
    if authored is not None:
        return {key: _resolved(value, filled) for key, value in authored.items()}
    name = _ARGUMENT.get(skill) or phrasing.argument
    if name is None:
        return {}
    quotes = filled.quotes_of(call)
    if not quotes:
        raise DataError(f"{phrasing.family}: {phrasing.text!r} has no [brackets] for its {name}.")
    return {name: " . ".join(quote.strip() for quote in quotes)}


def _marked(skill: str, marks: str, filled: Filled, rng: random.Random) -> tuple[dict[str, Any], str]:
    """Give the arguments that come from a visual prompt, and the prompt's text where it is not inline."""
    kind = rng.choice(["box", "points"]) if marks == "any" else marks
    if skill == "segment_by_example":
        kind = "box"
    if skill == "segment_at_granularities":
        kind = "points"
    inline = [
        _numbers(value) for slot, value in filled.values.items() if slot.startswith("box" if kind == "box" else "point")
    ]
    count = 1 if skill != "segment_region" else rng.choice([1, 1, 1, 2, 3])
    marked = inline or [random_box(rng) if kind == "box" else random_point(rng) for _ in range(count)]
    labels = [1] * len(marked)
    if skill == "segment_region" and kind == "points" and not inline and len(marked) > 1 and rng.random() < 0.4:
        labels[-1] = 0
    prompt = "" if inline else _prompt_text(kind, marked, labels, rng)
    if skill == "segment_by_example":
        return {"reference_image": "image_1", "reference_region": marked[0]}, prompt
    if skill == "segment_at_granularities":
        return {"point": marked[0]}, prompt
    return ({"boxes": marked} if kind == "box" else {"points": marked, "point_labels": labels}), prompt


def _prompt_text(kind: str, marked: list[list[float]], labels: list[int], rng: random.Random) -> str:
    """Write the visual prompt as the chat program does; one in six as the original demo or paper wrote it."""
    if len(marked) == 1 and rng.random() < 0.16:
        return f"\n\nInput box: {marked[0]}" if kind == "box" else f"\ninput point: {marked[0]}"
    return render_boxes(marked) if kind == "box" else render_points(marked, labels)


def _resolved(value: Any, filled: Filled) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolved(inner, filled) for key, inner in value.items()}
    match = _SLOT.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    sign, slot, percent = match.groups()
    numbers = _numbers(filled.values[slot])
    if slot.startswith(("box", "point")):
        return numbers
    number = (-1 if sign else 1) * numbers[0] / (100 if percent else 1)
    return (
        int(number)
        if number == int(number) and not percent and slot in ("degrees", "width", "height", "radius")
        else number
    )


def _numbers(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(text)]
