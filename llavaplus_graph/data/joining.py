"""How people ask for two things at once: one instruction out of two, in the order in which they stand."""

import random

_FORMS = (
    "{a} and {b}",
    "{a} and {b}",
    "{a}, and {b}",
    "{a} and then {b}",
    "{a}, then {b}",
    "{a}, and afterwards {b}",
    "{a} and also {b}",
    "{a}, plus {b}",
    "{a}; {b}",
    "{a} + {b}",
    "{a} & {b}",
    "{a}. {B}",
    "{a}. Also, {b}",
    "{a}. After that {b}",
    "{a}. And {b}",
    "{a}? And {b}",
    "{a}? {B}",
    "{a}, and while you're at it {b}",
    "{a} and when that's done {b}",
    "{a}, and could you {b} too",
    "First {a}, then {b}",
    "First {a}. Then {b}",
    "1) {a} 2) {b}",
    "Two things: {a}, and {b}",
    "Two things please: {a} and {b}",
    "I need two things, {a} and {b}",
    "Both please: {a}, {b}",
    "{a} as well as {b}",
    "Can you {a} and {b}",
    "Before you {b}, {a}",
)


def join(first: str, second: str, quoted: str, rng: random.Random) -> str:
    """Put two instructions into one.

    Args:
        first: What is asked for first.
        second: What is asked for second.
        quoted: Text whose words keep their capitals, because arguments are copied from it.
        rng: Chooses the form.
    """
    form = rng.choice(_FORMS)
    first, second = first.rstrip("?.!, "), second.rstrip("?.!, ")
    head = first if form.startswith("{a}") else lowered(first, quoted)
    text = form.format(a=head, b=lowered(second, quoted), B=raised(second, quoted))
    return text + rng.choice(["", "", ".", "?"])


def lowered(text: str, quoted: str) -> str:
    """Write a sentence as it stands within another one: a small first letter, unless it is a name or I."""
    word = text.split(" ")[0]
    keeps = word in ("I", "I'm", "I'd", "I've", "I'll") or _bare(word) in quoted or (len(word) > 1 and word.isupper())
    return text if keeps else text[:1].lower() + text[1:]


def raised(text: str, quoted: str) -> str:
    """Write a sentence as it stands behind another one: a capital first letter, unless an argument begins there."""
    return text if _bare(text.split(" ")[0]) in quoted else text[:1].upper() + text[1:]


def _bare(word: str) -> str:
    """Take off the punctuation that a sentence puts behind a word of an argument."""
    return word.rstrip(",.:;?!")
