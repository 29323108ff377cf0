"""Finds texts that say the same by the share of words in a row they have in common. Pure.

Exact and quick for many texts: two of them can only be alike enough when they share one of a few triples that come
first in one fixed order of all triples (prefix filtering, Chaudhuri et al. 2006).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from zlib import crc32

Gram = tuple[str, ...]
_WORD = re.compile(r"\w+")


def ngrams(text: str, size: int) -> set[Gram]:
    """Give every stretch of `size` words of a text, without case and punctuation."""
    words = _WORD.findall(text.lower())
    return {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}


class Overlap:
    """Remembers texts and tells which new one is like an earlier one.

    Args:
        least: Share of common triples of all triples (Jaccard) from which two texts are the same, above 0 to 1.
    """

    def __init__(self, least: float) -> None:
        self._least = max(least, 1e-6)
        self._texts: dict[str, set[Gram]] = {}
        self._having: dict[Gram, list[str]] = defaultdict(list)

    def add(self, name: str, text: str) -> str:
        """Remember a text unless it is like an earlier one.

        Returns:
            The name of the earlier one; empty when the text is new.
        """
        grams = ngrams(f"_ _ {text} _ _", 3)  # with its ends, so that a text of one word has triples too
        order = sorted(grams, key=lambda gram: (crc32(" ".join(gram).encode()), gram))
        first = order[: len(order) - math.ceil(self._least * len(order)) + 1]
        for other in dict.fromkeys(other for gram in first for other in self._having[gram]):
            known = self._texts[other]
            if len(grams & known) >= self._least * len(grams | known):
                return other
        self._texts[name] = grams
        for gram in first:
            self._having[gram].append(name)
        return ""
