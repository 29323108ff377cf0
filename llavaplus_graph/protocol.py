"""The wire format of LLaVA-Plus: thoughts, actions and value in one text (arXiv 2311.05437, section 3 and appendix).

Knows how an assistant turn, a skill's result and a whole conversation are written and read back, to the byte, for both
published templates. Does not know tensors, tokenizers, LangChain or which skills exist. A sample turn:

    "thoughts🤔" I need detect_objects.
    "actions🚀" [{"API_name": "detect_objects", "API_params": {"query": "dog"}}]
    "value👉" I will use detect_objects to help to answer the question. Please wait for a moment.
"""

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llavaplus_graph.errors import ProtocolError

THOUGHTS, ACTIONS, VALUE = '"thoughts🤔"', '"actions🚀"', '"value👉"'
MARKERS = (THOUGHTS, ACTIONS, VALUE)
IMAGE = "<image>"
# What the tokenizers of LLaVA do not take for text, wherever it stands.
_TOKENS = (IMAGE, "<s>", "</s>", "<unk>", "<pad>", "<im_start>", "<im_end>", "<im_patch>")

_MARKER = re.compile("|".join(MARKERS))
_PART = f"((?:(?!{_MARKER.pattern}).)*+)"
_BLOCK = re.compile(f"{THOUGHTS}{_PART}{ACTIONS}{_PART}{VALUE}{_PART}", re.DOTALL)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Action:
    """One call of a skill: its wire name and its parameters (a JSON object, possibly empty)."""

    name: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the LMM says in one turn; a part that is None is not written at all, as in plain LLaVA data."""

    thoughts: str | None = None
    actions: tuple[Action, ...] | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedTurn:
    """A turn that was read, and why its plan cannot be used (None when all is well).

    A text without markers is a plain answer: it becomes the value and has no problem.
    """

    turn: Turn
    problem: str | None = None


def render_turn(turn: Turn) -> str:
    """Write a turn as the model emits it: every line ends in a newline, actions are ASCII-escaped JSON.

    Raises:
        ProtocolError: If thoughts or value contain one of the markers, or a parameter is not JSON.
    """
    lines = []
    if turn.thoughts is not None:
        lines.append(f"{THOUGHTS} {_unmarked(turn.thoughts)}\n")
    if turn.actions is not None:
        lines.append(f"{ACTIONS} {render_actions(turn.actions)}\n")
    if turn.value is not None:
        lines.append(f"{VALUE} {_unmarked(turn.value)}\n")
    return "".join(lines)


def render_actions(actions: Iterable[Action]) -> str:
    """Write calls as the JSON list that stands behind the actions marker."""
    calls = [{"API_name": action.name, "API_params": dict(action.params)} for action in actions]
    try:
        return json.dumps(calls, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        names = ", ".join(str(call["API_name"]) for call in calls)
        raise ProtocolError(f"The parameters of a call ({names}) are not plain JSON: {error}.") from error


def holding_message(names: Sequence[str]) -> str:
    """Say what a turn that calls skills says in the released data, for one name or several."""
    return f"I will use {' and '.join(names)} to help to answer the question. Please wait for a moment."


def thanks(names: Sequence[str]) -> str:
    """Give the thought with which every answer after a skill's result opens in the released data."""
    return f"Thanks to the output of {' and '.join(names)}. I can answer the question better."


def parse_turn(text: str) -> ParsedTurn:
    """Read a turn out of anything a model may have written; never raises.

    The first complete block counts and what follows it is dropped: a stream has given it out by then. (The original
    took the last one, so that an answer the model made up replaced its call.) Actions may be JSON or a Python literal,
    a list or a single object; unknown keys are ignored and missing parameters mean none. Text is never evaluated, and
    a list that was cut off is never completed.

    Args:
        text: What the model produced, with or without markers.
    """
    block = _BLOCK.search(text)
    if block is None:
        return _parse_without_block(text)
    thoughts, actions, value = (part.strip() for part in block.groups())
    parsed, problem = parse_actions(actions)
    return ParsedTurn(Turn(thoughts, parsed, value), problem)


def parse_actions(text: str) -> tuple[tuple[Action, ...], str | None]:
    """Read the text behind the actions marker; gives the calls, or no calls and the reason."""
    raw = _literal(text.strip())
    if isinstance(raw, dict):
        raw = [raw]
    if not isinstance(raw, list):
        return (), "the actions are not a list of calls"
    calls = []
    for item in raw:
        name = item.get("API_name") if isinstance(item, dict) else None
        params = (item.get("API_params") or {}) if isinstance(item, dict) else None
        if not isinstance(name, str) or not name or not isinstance(params, dict):
            return (), "an action lacks its API_name or its API_params are not an object"
        calls.append(Action(name, {str(key): value for key, value in params.items()}))
    return tuple(calls), None


def clean_text(text: str) -> str:
    """Take protocol markers, special tokens, separators and control characters out of text of foreign origin.

    Text that was read from pictures or pages goes through here, so that it can neither open a turn nor break a prompt.
    """
    text = _SURROGATES.sub("", text)
    for marker in (*MARKERS, *_TOKENS, "###", "🤔", "🚀", "👉"):
        text = text.replace(marker, " ")
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def render_observation(results: Sequence[tuple[str, Mapping[str, Any]]], question: str) -> str:
    """Write skills' results as the human turn that feeds them back, in the wording of the original server.

    Args:
        results: Wire name and cleaned result (plain JSON) of every call, in the order of the actions.
        question: The latest user turn; image tokens are taken out of it.
    """
    outputs = "\n".join(f"{name} model outputs: {dict(result)!s}" for name, result in results)
    asked = question.replace(IMAGE, "").strip()
    return f"{outputs}\n\nPlease summarize the model outputs and answer my first question: {asked}"


def render_boxes(boxes: Sequence[Sequence[float]]) -> str:
    """Write boxes (normalised x1, y1, x2, y2) as the visual prompt that follows a question in the released data."""
    return f"\nThe input boxes are: {_rounded(boxes)}"


def render_points(points: Sequence[Sequence[float]], labels: Sequence[int] = ()) -> str:
    """Write points (normalised x, y) as a visual prompt; labels (1 keep, 0 leave out) only where one is 0."""
    text = f"\nThe input points are: {_rounded(points)}"
    return f"{text}, the point labels are: {list(labels)}" if 0 in labels else text


@dataclass(frozen=True, slots=True)
class Template:
    """How a conversation becomes one string for the LMM; the two published ones are V0 and V1.

    The last field is what stands for a picture: `<image>`, which some early checkpoints want between marks.
    """

    name: Literal["v0", "v1"]
    system: str
    roles: tuple[str, str]
    stop: str
    picture: str = IMAGE

    def render(self, turns: Sequence[tuple[Literal["human", "gpt"], str]], *, images: int = 0) -> str:
        """Write the serving prompt, which ends where the assistant has to go on (or with its last, closed turn).

        Args:
            turns: Speaker and text in order; assistant texts are stripped as the original server does.
            images: How many image tokens stand before the first human text when it carries none itself.
        """
        human, assistant = self.roles
        parts = [self.system]
        for index, (speaker, text) in enumerate(turns):
            if speaker == "human":
                parts.append(f"{self._before_human(index)}{human}: {self.said(text, images if index == 0 else 0)}")
            else:
                parts.append(f"{self._before_assistant()}{assistant}: {text.strip()}{self._after_assistant()}")
        if turns and turns[-1][0] == "human":
            parts.append(f"{self._before_assistant()}{assistant}:")
        elif turns and self.name == "v0":
            parts.append(self.stop)
        return "".join(parts)

    def said(self, text: str, images: int = 0) -> str:
        """Move the pictures of a turn to its front; `images` of them where the text carries none itself."""
        count = text.count(IMAGE) or images
        return f"{(self.picture + chr(10)) * count}{text.replace(IMAGE, '').strip()}" if count else text

    def _before_human(self, index: int) -> str:
        if self.name == "v0":
            return "###"
        return " " if index == 0 and self.system else ""

    def _before_assistant(self) -> str:
        return "###" if self.name == "v0" else " "

    def _after_assistant(self) -> str:
        return "" if self.name == "v0" else self.stop


V0 = Template(
    "v0",
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions.",
    ("Human", "Assistant"),
    "###",
)
V1 = Template("v1", V0.system, ("USER", "ASSISTANT"), "</s>")
TEMPLATES = {"v0": V0, "v1": V1}

V1_TRAINING_SYSTEM = V0.system.replace("human", "user")


def render_training_text(template: Template, turns: Sequence[tuple[Literal["human", "gpt"], str]]) -> str:
    """Write a conversation as the original trainer did, whose white space differs from that of serving.

    Template v0 puts blank space around every separator and ends with a bare one; v1 speaks of a user in its system
    text. Assistant texts are written unstripped: they end in the newline that `render_turn` gives them.
    """
    human, assistant = template.roles
    if template.name == "v0":
        parts = [f"{template.system}\n\n"]
        parts += [f"### {human if who == 'human' else assistant}: {template.said(text)}\n" for who, text in turns]
        return "".join([*parts, "### "])
    parts = [f"{V1_TRAINING_SYSTEM} "]
    parts += [
        f"{human}: {template.said(text)} " if who == "human" else f"{assistant}: {text}{template.stop}"
        for who, text in turns
    ]
    return "".join(parts)


def _rounded(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[round(float(number), 2) for number in row] for row in rows]


def _unmarked(text: str) -> str:
    for marker in MARKERS:
        if marker in text:
            raise ProtocolError(f"The text {text!r} contains the marker {marker}; pass it through clean_text first.")
    return text


def _parse_without_block(text: str) -> ParsedTurn:
    if not any(marker.strip('"') in text for marker in MARKERS):
        return ParsedTurn(Turn(value=text.strip()))
    before, _, value = text.partition(VALUE)
    if not before.strip() and not _MARKER.search(value):
        return ParsedTurn(Turn(value=value.strip()))
    return ParsedTurn(Turn(value=text.strip()), "a marker is missing or the turn was cut off")


def _literal(text: str) -> object:
    """Read JSON, a Python literal, or JSON with single quotes as the original does; None for anything else.

    What a Python literal or a lenient JSON reader has and JSON has not (sets, bytes, NaN, endless numbers, half a
    character) is refused.
    """
    swapped = text.replace("'", '"') if not set(text) & {'"', "\\"} else ""
    for read, source in ((json.loads, text), (ast.literal_eval, text), (json.loads, swapped)):
        try:
            return json.loads(json.dumps(read(source), allow_nan=False, ensure_ascii=False).encode())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


@dataclass(frozen=True, slots=True)
class TurnOpened:
    """The plan part of a streamed turn is complete: its thoughts and calls, or why there are none."""

    thoughts: str
    actions: tuple[Action, ...]
    problem: str | None


class StreamParser:
    """Reads a turn while it is generated: first, once, what was planned, then the answer as it comes.

    Nothing is given out before the value marker has arrived, so a plan that was cut off never becomes a call. White
    space at both ends of the answer, and what may yet become a marker, is held back: the pieces join to the beginning
    of the value that `parse_turn` gives, `given` characters of it.

    Attributes:
        given: Characters of the answer that were given out.
    """

    def __init__(self) -> None:
        self._text = ""
        self._start: int | None = None
        self.given = 0

    def feed(self, text: str) -> list[TurnOpened | str]:
        """Take a piece of generated text; gives what has become certain by it."""
        self._text += text
        events: list[TurnOpened | str] = []
        if self._start is None:
            block = _BLOCK.search(self._text)
            if block is None:
                return events
            parsed = parse_turn(self._text)
            self._start = block.start(3)
            events.append(TurnOpened(parsed.turn.thoughts or "", parsed.turn.actions or (), parsed.problem))
        answer = self._certain_answer(self._start)
        if len(answer) > self.given:
            events.append(answer[self.given :])
            self.given = len(answer)
        return events

    def _certain_answer(self, start: int) -> str:
        marker = _MARKER.search(self._text, start)
        if marker is not None:
            return self._text[start : marker.start()].strip()
        answer = self._text[start:]
        opened = answer.rfind('"', -max(map(len, MARKERS)))
        if opened >= 0 and any(marker.startswith(answer[opened:]) for marker in MARKERS):
            answer = answer[:opened]
        return answer.strip()

    def close(self) -> ParsedTurn:
        """End the stream; gives the whole turn as `parse_turn` reads it."""
        return parse_turn(self._text)

    @property
    def opened(self) -> bool:
        """Whether the plan part is complete."""
        return self._start is not None
