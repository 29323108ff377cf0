"""Pure metrics over plans and answers: nothing is loaded, run or drawn here."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Call = tuple[str, Mapping[str, Any]]
_ARTICLE = re.compile(
    r"^(the|a|an|my|your|his|her|our|their|some|any|all|every|each|this|that|these|those) ", re.IGNORECASE
)
_DEFAULTS = {
    "image": "latest",
    "mask": "latest",
    "layout": "latest",
    "prompt": "",
    "parameters": {},
    "box_threshold": 0.3,
    "text_threshold": 0.25,
}


def same_skills(expected: Sequence[Call], planned: Sequence[Call]) -> bool:
    """Tell whether a plan calls the same skills, in any order."""
    return sorted(name for name, _ in expected) == sorted(name for name, _ in planned)


def same_calls(expected: Sequence[Call], planned: Sequence[Call]) -> bool:
    """Tell whether a plan calls the same skills with the same arguments, in any order.

    Numbers must be equal to two decimals; texts must be equal without case, outer punctuation and a leading article; of
    an argument that has a default (`image: latest`, labels that are all 1) absence, null and default are the same.
    """
    left = list(planned)
    for name, args in expected:
        match = next((call for call in left if call[0] == name and _same(_plain(args), _plain(call[1]))), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def quotes_exactly(answer: str, texts: Sequence[str]) -> bool:
    """Tell whether every text stands in the answer, to the letter and between double quotes."""
    return all(f'"{text}"' in answer for text in texts)


def _plain(args: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in _given(args).items() if key not in _DEFAULTS or value != _DEFAULTS[key]}
    labels = plain.get("point_labels")
    if isinstance(labels, Sequence) and all(label == 1 for label in labels):
        del plain["point_labels"]
    return plain


def _given(args: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in args.items() if value is not None}


def _same(expected: Any, planned: Any) -> bool:
    if isinstance(expected, Mapping):
        if not isinstance(planned, Mapping):
            return False
        left, right = _given(expected), _given(planned)
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(expected, str):
        return isinstance(planned, str) and _words(expected) == _words(planned)
    if isinstance(expected, Sequence):
        return isinstance(planned, Sequence) and len(expected) == len(planned) and all(map(_same, expected, planned))
    if isinstance(expected, bool) or not isinstance(expected, (int, float)):
        return bool(expected == planned)
    return isinstance(planned, (int, float)) and abs(expected - planned) < 0.005


def _words(text: str) -> list[str]:
    phrases = [phrase.strip().strip(".,;:!?\"'()").lower() for phrase in text.split(" . ")]
    return [_ARTICLE.sub("", phrase) for phrase in phrases]
