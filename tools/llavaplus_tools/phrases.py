"""Finds in an English sentence about a picture the things that a detector can look for. Knows words, no model."""

from __future__ import annotations

import re
from typing import Final

_WORD = re.compile(r"[^\W\d_][\w'’-]*|\d+|[^\w\s]")

_BETWEEN: Final = """
a an the this that these those some any another other each every both many several few various much more most
and or but nor while as than then that which who whose what where when with without of in on at by for from to into onto
over under above below behind beside besides between among amid near next along across around through against
toward towards inside outside off up down out during upon atop within
is are was were be been being am has have had having do does did can could will would may might there here it its
it's he she they them their his her him we you your our i my not no very too also just still so
one two three four five six seven eight nine ten group pair couple bunch set piece lot lots type kind
top bottom front back side middle edge center centre left right background foreground distance
image picture photo photograph photography scene view close closeup close-up shot
sits sit sat stands stand stood lies lie lays lay looks look wears wear worn holds hold held rides ride runs run
walks walk shows show shown seen made covered filled parked surrounded set placed located called named
"""
"""Words that name no thing which could be boxed, and end the name of one."""

_NAMES_IN_ING: Final = (
    "building ceiling painting railing clothing string spring wing ring king lighting awning swing earring "
    "wedding drawing topping pudding icing dressing bedding crossing duckling sibling sling"
)
"""Words that end like what somebody is doing and name things."""

_NO_THINGS: Final = frozenset(_BETWEEN.split())
_THINGS: Final = frozenset(_NAMES_IN_ING.split())
_MOST_WORDS: Final = 4


def things_in(caption: str) -> list[str]:
    """The things that a caption names, each once, in their order.

    Args:
        caption: one or more English sentences, for example ``"a cat sitting on a red sofa"``.

    Returns:
        For example ``["cat", "red sofa"]``; nothing where the caption names no thing.
    """
    found: dict[str, None] = {}
    words: list[str] = []
    for word in (*_WORD.findall(caption), "."):
        if _names(word):
            words.append(word.lower())
        elif words:
            # Of a long chain the last words say what it is.
            found.setdefault(" ".join(words[-_MOST_WORDS:]))
            words = []
    return list(found)


def _names(word: str) -> bool:
    low = word.lower()
    if not low[0].isalpha() or low in _NO_THINGS:
        return False
    return not (low.endswith("ing") and len(low) > 4 and low not in _THINGS)
