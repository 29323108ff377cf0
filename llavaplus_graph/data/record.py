r"""A record: one conversation in the JSON of the released LLaVA-Plus files. Knows the keys, not the words.

{"unique_id": "mini-words-17", "image": "pictures/sign/00012.jpg", "data_source": "mini", "conversations": [
  {"from": "human", "value": "<image>\nWhat does it say?"},
  {"from": "gpt", "thoughts": "I need read_text.", "actions": [{"API_name": "read_text", "API_params": {}}],
   "value": "..."}]}
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import Action, Turn, render_turn


@dataclass(frozen=True, slots=True)
class Record:
    """One conversation and the files of its pictures, relative to an image folder.

    Attributes:
        unique_id: Name of the record, unique within its file.
        images: Picture files in the order of their image tokens; empty for text alone.
        conversations: The turns as they stand in the file.
        data_source: Where the record comes from.
        extra: Keys that only the file knows, for example `image_id`, and values that it writes in another form, for
            example a `unique_id` that is a number; they are written back as they were.
    """

    unique_id: str
    images: tuple[str, ...]
    conversations: tuple[Mapping[str, Any], ...]
    data_source: str = "mini"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write the record as one line of JSON."""
        body: dict[str, Any] = {"unique_id": self.unique_id}
        if self.images:
            body["image"] = self.images[0] if len(self.images) == 1 else list(self.images)
        body |= self.extra
        if self.data_source:
            body.setdefault("data_source", self.data_source)
        return json.dumps({**body, "conversations": list(self.conversations)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Record":
        """Read a record.

        Raises:
            DataError: If the text is not a JSON object with a list of conversations, or a turn lacks what it needs.
        """
        try:
            body = json.loads(line)
            image = body.get("image") or []
            images = (image,) if isinstance(image, str) else tuple(map(str, image))
            turns = tuple(_checked(turn) for turn in body["conversations"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"Not a record: {line[:80]!r} ({type(error).__name__}).") from error
        name, source = str(body.get("unique_id", "")), str(body.get("data_source") or "")
        return cls(name, images, turns, source, unlike(body, name, images, source))

    def turns(self) -> list[tuple[Literal["human", "gpt"], str]]:
        """Give speaker and text of every turn, assistant turns merged into the wire format."""
        return [
            ("human", turn["value"]) if turn["from"] == "human" else ("gpt", render_turn(gpt_turn(turn)))
            for turn in self.conversations
        ]


def unlike(body: Mapping[str, Any], name: str, images: Sequence[str], source: str) -> dict[str, Any]:
    """Give the keys and values of a record's JSON that `Record.to_json` would not write by itself, as they are."""
    shown = list(images)
    plain = {
        "unique_id": [name],
        "image": shown if len(shown) == 1 else [shown] if shown else [],
        "data_source": [source],
        "conversations": [body.get("conversations")],
    }
    return {key: value for key, value in body.items() if value not in plain.get(key, ())}


def _checked(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a turn that can be rendered; raises what `Record.from_json` expects for any other."""
    if turn["from"] == "gpt":
        gpt_turn(turn)
    elif turn["from"] != "human" or not isinstance(turn["value"], str):
        raise ValueError(turn["from"])
    return dict(turn)


def gpt_turn(turn: Mapping[str, Any]) -> Turn:
    """Read an assistant turn out of its stored keys; keys that are absent stay absent."""
    actions = turn.get("actions")
    calls = (
        None if actions is None else tuple(Action(call["API_name"], call.get("API_params") or {}) for call in actions)
    )
    return Turn(turn.get("thoughts"), calls, turn.get("value"))


def human(text: str) -> dict[str, Any]:
    """Store a human turn."""
    return {"from": "human", "value": text}


def gpt(thoughts: str, actions: Sequence[Action], value: str) -> dict[str, Any]:
    """Store an assistant turn."""
    calls = [{"API_name": action.name, "API_params": dict(action.params)} for action in actions]
    return {"from": "gpt", "thoughts": thoughts, "actions": calls, "value": value}


def picture_file(name: str, folders: Sequence[Path]) -> Path | None:
    """Give the file of a picture, the first folder that has one counts; None where none has it, whatever the name."""
    for folder in folders:
        try:
            if (folder / name).is_file():
                return folder / name
        except OSError:  # a name that no file can have, for example a text of a thousand letters
            return None
    return None


def read_records(path: Path) -> Iterator[Record]:
    """Read a file of one record a line, lazily.

    Raises:
        DataError: If a line is not a record; names the file and the line.
    """
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield Record.from_json(line)
                except DataError as error:
                    raise DataError(f"{path}, line {number}: {error}") from error
