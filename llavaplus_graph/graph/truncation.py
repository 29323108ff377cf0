"""What the LMM reads of a round has an end, and says what is left out. Knows JSON, no result and no message.

Rows go first, the least certain ones where there are ``logits``; ``left_out`` counts them. Then long texts are cut;
each says how many characters it has lost.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

Content = dict[str, JsonValue]
_SHORTEST_TEXT = 20


def within_room(contents: Sequence[Content], room: int) -> list[Content]:
    """The contents of a round, cut to so many characters of JSON in all.

    Those that need less than an equal share keep everything, and the others share what that leaves.

    Args:
        contents: what the LMM would read, one of each call.
        room: characters.
    """
    lengths = [_length(content) for content in contents]
    if sum(lengths) <= room:
        return list(contents)
    cut = list(contents)
    left = room
    for done, index in enumerate(sorted(range(len(contents)), key=lambda at: lengths[at])):
        share = left // (len(contents) - done)
        cut[index] = shortened(contents[index], share)
        left -= _length(cut[index])
    return cut


def shortened(content: Content, room: int) -> Content:
    """One content, cut to so many characters of JSON where that is possible at all."""
    if _length(content) <= room:
        return content
    longest = max(room // 2, _SHORTEST_TEXT)
    fewer = _with_fewer_rows(_with_short_texts(content, longest), room)
    while _length(fewer) > room and longest > _SHORTEST_TEXT:
        longest = max(longest // 2, _SHORTEST_TEXT)
        fewer = _with_fewer_rows(_with_short_texts(content, longest), room)
    return fewer


def _length(content: Mapping[str, JsonValue]) -> int:
    return len(json.dumps(content, ensure_ascii=False))


def _with_fewer_rows(content: Content, room: int) -> Content:
    """As many rows as there is room for, at least one."""
    columns = {key: value for key, value in content.items() if isinstance(value, list)}
    rows = max((len(column) for column in columns.values()), default=0)
    if rows < 2 or _length(content) <= room:
        return content
    aligned = {key: column for key, column in columns.items() if len(column) == rows}
    ranked = _by_certainty(aligned, rows)

    def first(count: int) -> Content:
        kept = sorted(ranked[:count])
        before = content.get("left_out", 0)
        return {
            **content,
            **{key: [column[row] for row in kept] for key, column in aligned.items()},
            "left_out": rows - count + (before if isinstance(before, int) else 0),
        }

    fits = bisect_right(range(1, rows), room, key=lambda count: _length(first(count)))
    return first(max(1, fits))


def _by_certainty(columns: Mapping[str, list[JsonValue]], rows: int) -> list[int]:
    logits = columns.get("logits")
    if logits is None:
        return list(range(rows))
    certain = [value if isinstance(value, int | float) else 0.0 for value in logits]
    return sorted(range(rows), key=lambda row: -certain[row])


def _with_short_texts(content: Content, longest: int) -> Content:
    return {key: _with_short_text(value, longest) for key, value in content.items()}


def _with_short_text(value: JsonValue, longest: int) -> JsonValue:
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}… ({len(value) - longest:,} more characters)"
    if isinstance(value, list):
        return [_with_short_text(inner, longest) for inner in value]
    if isinstance(value, dict):
        return {key: _with_short_text(inner, longest) for key, inner in value.items()}
    return value
