"""Reads the files that LLaVA-Plus and LLaVA-Instruct were released as: one JSON list, up to 300 MB, mixed types.

Knows how loosely those files are written (arXiv 2311.05437, appendix A and the data card); holds one record at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llavaplus_graph.data.record import Record, picture_file, unlike
from llavaplus_graph.data.sources.streaming import Tally as Tally
from llavaplus_graph.data.sources.streaming import read_bodies
from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import IMAGE

_SPEAKERS = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt"}
_NO_SKILL = "The question can be answered from the picture and the conversation. No skill is needed."
NO_PICTURE = "its picture is in none of the folders"


def read_released(
    path: Path,
    *,
    images: Sequence[Path] = (),
    tally: Tally | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Record]:
    """Read a released file lazily, in constant memory.

    Args:
        path: A JSON list of records, or one record a line.
        images: Folders in which pictures are looked for, in this order. Without any, pictures are not checked.
        tally: Counts what was kept and what was dropped, with reasons.
        progress: Told the number of bytes read after every record.

    Yields:
        Records with the wire names of the file. Assistant turns without thoughts, as in plain LLaVA data, get the
        thought that no skill is needed and an empty list of actions (appendix A).

    Raises:
        DataError: If the file cannot be read or stops in the middle; names it. What stood before has been given.
        MissingExtraError: If the extra `train` is not installed.
    """
    counted = tally if tally is not None else Tally()
    for number, body in enumerate(read_bodies(path, progress=progress), start=1):
        name = _name(body, number)
        try:
            record = _record(body, name, images)
        except DataError as reason:
            counted.drop(str(reason), name)
        else:
            counted.kept += 1
            yield record


def _name(body: Any, number: int) -> str:
    known = body if isinstance(body, Mapping) else {}
    return str(known.get("unique_id") or known.get("id") or f"record {number}")


def _record(body: Any, name: str, images: Sequence[Path]) -> Record:
    if not isinstance(body, Mapping):
        raise DataError("it is not an object")
    turns = _turns(body.get("conversations"))
    shown = body.get("image") or body.get("file_name") or []
    names = [shown] if isinstance(shown, str) else shown
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise DataError("its picture is not named by a string")
    places = sum(turn["value"].count(IMAGE) for turn in turns)
    if places != len(names):
        raise DataError(f"it has {places} places for {len(names)} pictures")
    if images and any(picture_file(each, images) is None for each in names):
        raise DataError(NO_PICTURE)
    source = str(body.get("data_source") or "")
    return Record(name, tuple(names), tuple(turns), source, unlike(body, name, names, source))


def _turns(found: Any) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not found:
        raise DataError("it has no conversation")
    turns = []
    for index, turn in enumerate(found):
        speaker = _SPEAKERS.get(str(turn.get("from", turn.get("role")))) if isinstance(turn, Mapping) else None
        if speaker is None:
            raise DataError("a turn is neither the user's nor the assistant's")
        if speaker != ("human", "gpt")[index % 2]:
            raise DataError("its speakers do not take turns")
        turns.append(_human(turn, index == 0) if speaker == "human" else _gpt(turn))
    if len(turns) == 1:
        raise DataError("nobody answers in it")
    return turns


def _human(turn: Mapping[str, Any], first: bool) -> dict[str, Any]:
    text = turn.get("value")
    if not isinstance(text, str | int | float):
        raise DataError("a turn has no text")
    # One family repeats the place of the picture inside the question that comes back with the result.
    said = text if first else str(text).replace(f"{IMAGE}\n", "").replace(IMAGE, "")
    return {**_rest(turn), "from": "human", "value": str(said)}


def _gpt(turn: Mapping[str, Any]) -> dict[str, Any]:
    value, actions = turn.get("value"), turn.get("actions")
    if not isinstance(value, str | int | float):
        raise DataError("a turn has no text")
    if isinstance(actions, str):
        try:
            actions = json.loads(actions or "[]")
        except ValueError as error:
            raise DataError("its actions are not JSON") from error
    if isinstance(actions, Mapping):
        actions = [actions]
    if not isinstance(actions, list | None):
        raise DataError("its actions are not a list")
    thoughts = turn.get("thoughts")
    if thoughts is None and actions is None:
        thoughts, actions = _NO_SKILL, []
    return {
        **_rest(turn),
        "from": "gpt",
        "thoughts": str(thoughts or ""),
        "actions": [_call(action) for action in actions or ()],
        "value": str(value),
    }


def _rest(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the keys that only the file knows."""
    return {key: value for key, value in turn.items() if key != "role"}


def _call(action: Any) -> dict[str, Any]:
    if not isinstance(action, Mapping) or not isinstance(action.get("API_name"), str):
        raise DataError("an action names no skill")
    params = action.get("API_params")
    return {"API_name": action["API_name"], "API_params": dict(params) if isinstance(params, Mapping) else {}}
