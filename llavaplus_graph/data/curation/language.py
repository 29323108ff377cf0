"""Tells whether a text is in another language than wanted, by how frequent its words are. Knows no grammar.

Rough by design: names, codes and short answers belong to no language and pass.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache

from llavaplus_graph.errors import MissingExtraError

_WORD = re.compile(r"[^\W\d_]{2,}")
_RIVALS = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr", "id", "ru")
_SCRIPTS = {
    "zh": ("CJK",), "ja": ("CJK", "HIRAGANA", "KATAKANA"), "ko": ("HANGUL",), "ru": ("CYRILLIC",), "uk": ("CYRILLIC",),
    "bg": ("CYRILLIC",), "mk": ("CYRILLIC",), "ar": ("ARABIC",), "fa": ("ARABIC",), "ur": ("ARABIC",),
    "he": ("HEBREW",), "el": ("GREEK",), "hi": ("DEVANAGARI",), "bn": ("BENGALI",), "ta": ("TAMIL",),
}  # fmt: skip
_LATIN = ("LATIN",)
_FEWEST = 4  # words below which nothing is said
_RAREST = 1e-6  # share of all words in a language below which a word tells nothing
_MARGIN = 0.8  # powers of ten by which words must be more frequent in another language


def is_foreign(text: str, language: str) -> bool:
    """Tell whether a text is surely in another language.

    Args:
        text: What somebody wrote.
        language: ISO 639 code of the language that is wanted.

    Raises:
        MissingExtraError: If the extra `train` is not installed.
    """
    letters = [letter for letter in text if letter.isalpha()]
    wanted = _SCRIPTS.get(language, _LATIN)
    others = sum(not unicodedata.name(letter, "").startswith(wanted) for letter in letters)
    if others > 0.5 * len(letters):
        return True
    words = _WORD.findall(text.lower())
    if wanted != _LATIN or len(words) < _FEWEST or not _frequencies(language):
        return False
    own = _familiar(words, language)
    return max(_familiar(words, rival) for rival in _RIVALS if rival != language) > own + _MARGIN


def _familiar(words: Sequence[str], language: str) -> float:
    """Give how frequent the words are in a language: the mean of powers of ten above the rarest words that count."""
    known = _frequencies(language)
    return sum(max(math.log10(known.get(word, _RAREST) / _RAREST), 0.0) for word in words) / len(words)


@cache
def _frequencies(language: str) -> Mapping[str, float]:
    try:
        from wordfreq import available_languages, get_frequency_dict
    except ImportError as error:
        raise MissingExtraError("wordfreq", extra="train") from error
    if language not in available_languages("small"):
        return {}
    found: Mapping[str, float] = get_frequency_dict(language, "small")
    return found
