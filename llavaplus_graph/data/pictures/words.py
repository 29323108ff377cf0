"""Words, names, addresses, prices and dates for printing; the only place that imports faker and wordfreq.

Everything is ASCII, so that every typeface has its letters. Dates come from the generator and never from today.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import accumulate
from typing import Any

from llavaplus_graph.errors import MissingExtraError

_LOCALES = ("en_US", "en_GB", "en_AU", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL")
_PLAIN = str.maketrans(
    dict(
        zip(
            "äöüÄÖÜßéèêñçàâóíáúôî",
            ["ae", "oe", "ue", "Ae", "Oe", "Ue", "ss", "e", "e", "e", "n", "c", "a", "a", "o", "i", "a", "u", "o", "i"],
            strict=True,
        )
    )
)
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# A training picture shall not teach these, and any list of frequent words holds them.
_UNWANTED = (
    "fuck",
    "shit",
    "cunt",
    "nigg",
    "fag",
    "rape",
    "porn",
    "sex",
    "nazi",
    "bitch",
    "dick",
    "pussy",
    "slut",
    "whore",
    "kill",
    "cock",
    "arse",
    "hitler",
    "jew",
)


class Words:
    """A stock of texts that one random generator draws from."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._faker = _faker(rng.choice(_LOCALES))
        self._faker.seed_instance(rng.getrandbits(48))

    def word(self) -> str:
        """Draw one common English word, frequent ones more often."""
        return self.words(1)[0]

    def words(self, count: int) -> list[str]:
        """Draw common English words, frequent ones more often."""
        vocabulary, weights = _vocabulary()
        return self._rng.choices(vocabulary, cum_weights=weights, k=count)

    def title(self, count: int) -> str:
        """Draw a headline of a number of words, each with a capital."""
        vocabulary, _ = _vocabulary()
        return " ".join(word.capitalize() for word in self._rng.choices(vocabulary[100:], k=count))

    def prose(self, count: int) -> str:
        """Draw running text of about `count` words, in sentences."""
        parts: list[str] = []
        while count > 0:
            length = min(max(3, count), self._rng.randint(4, 18))
            sentence = self.words(length)
            sentence[0] = sentence[0].capitalize()
            if length > 8 and self._rng.random() < 0.5:
                sentence[length // 2] += ","
            parts.append(" ".join(sentence) + self._rng.choice("....?!"))
            count -= length
        return " ".join(parts)

    def name(self) -> str:
        """Draw the name of a person."""
        return _plain(self._faker.name())

    def surname(self) -> str:
        """Draw a family name."""
        return _plain(self._faker.last_name())

    def company(self) -> str:
        """Draw the name of a company."""
        return _plain(self._faker.company())

    def street(self) -> str:
        """Draw a street with a house number."""
        return _plain(self._faker.street_address().replace("\n", ", "))

    def street_name(self) -> str:
        """Draw a street without a number."""
        return _plain(self._faker.street_name())

    def city(self) -> str:
        """Draw a town."""
        return _plain(self._faker.city())

    def phone(self) -> str:
        """Draw a telephone number."""
        rng = self._rng
        area = f"{rng.choice(['+44 ', '+1 ', '0', '(0)', '+49 '])}{rng.randint(20, 999)}"
        return f"{area} {rng.randint(100, 999)} {rng.randint(1000, 9999)}"

    def email(self) -> str:
        """Draw an e-mail address."""
        host = f"{self.word()}.{self._rng.choice(['com', 'org', 'net', 'de', 'co.uk'])}"
        return f"{self.surname().split()[0].lower()}@{host}"

    def url(self) -> str:
        """Draw the address of a web page."""
        host = (
            f"{self._rng.choice(['www.', '', '', 'shop.'])}{self.word()}{self._rng.choice(['', '-', ''])}{self.word()}"
        )
        path = self._rng.choice(["", f"/{self.word()}"])
        return f"{host}.{self._rng.choice(['com', 'org', 'net', 'io', 'example'])}{path}"

    def price(self, most: int = 99) -> str:
        """Draw an amount with two decimals, without a currency."""
        cents = self._rng.choice(["00", "50", "95", "99", "49", f"{self._rng.randint(0, 99):02d}"])
        return f"{self._rng.randint(0, most)}.{cents}"

    def date(self) -> str:
        """Draw a date in one of the usual notations."""
        rng = self._rng
        year, month, day = rng.randint(1996, 2029), rng.randint(1, 12), rng.randint(1, 28)
        return rng.choice(
            [
                f"{day:02d}/{month:02d}/{year}",
                f"{year}-{month:02d}-{day:02d}",
                f"{day}.{month}.{year}",
                f"{day} {_MONTHS[month - 1]} {year}",
                f"{_MONTHS[month - 1]} {day}, {year}",
            ]
        )

    def time(self) -> str:
        """Draw a time of day."""
        return f"{self._rng.randint(0, 23):02d}:{self._rng.randint(0, 59):02d}"


def _plain(text: str) -> str:
    return text.translate(_PLAIN).encode("ascii", "ignore").decode()


@cache
def _faker(locale: str) -> Any:
    try:
        from faker import Faker
    except ImportError as error:
        raise MissingExtraError("drawing training pictures (faker)", extra="train") from error
    return Faker(locale)


@cache
def _vocabulary() -> tuple[list[str], list[float]]:
    try:
        from wordfreq import top_n_list
    except ImportError as error:
        raise MissingExtraError("drawing training pictures (wordfreq)", extra="train") from error
    words = [
        word
        for word in top_n_list("en", 6000, wordlist="small")
        if word.isascii()
        and word.isalpha()
        and (len(word) > 1 or word in "ai")
        and not any(part in word for part in _UNWANTED)
    ]
    # Softer than Zipf's law, which would fill every page with "the".
    return words, list(accumulate((rank + 8) ** -0.7 for rank in range(len(words))))
