"""How people type: greetings and asides around an instruction, case, punctuation and slips of the finger.

Quoted stretches keep their letters, because the argument must be found in the text as it stands.
"""

import random
from dataclasses import replace

from llavaplus_graph.data.phrasing import Filled, Segment

_OPENERS = (
    "please ", "hey, ", "hi, ", "hello, ", "ok, ", "okay so ", "so ", "um, ", "well, ", "right, ", "hey there, ",
    "quick one: ", "sorry, ", "good morning. ", "good evening, ", "thanks for earlier. ", "one more thing: ", "next: ",
    "now ", "also, ", "and ", "hm, ", "alright, ", "dear assistant, ", "my boss asks: ", "for my homework: ",
    "i'm in a hurry, ", "first of all, ", "task: ", "Q: ", "if you don't mind, ", "could you help me? ",
    "i need your help. ", "just wondering, ", "i've got a new one for you. ", "here's another picture. ", "hi bot, ",
    "see attachment. ", "new photo. ", "this was taken yesterday. ", "i took this on holiday. ",
    "my sister sent me this. ", "from my phone: ",
)  # fmt: skip
_CLOSERS = (
    " please", " pls", " plz", ", please", ", thanks", " thanks", " thank you!", " thx", " ty", " :)", "!", "!!", "...",
    " asap", " ok?", " for me", ", if you can", ", would you?", " when you have a moment", ". Thanks in advance.",
    ". Take your time.", ". It's urgent.", ". Much appreciated!", " - cheers", ". I'm counting on you.", " right now",
    ", that would help me a lot", ". No rush.", " mate", ", kind regards, Tom",
)  # fmt: skip
_NEIGHBOURS = {
    "a": "s",
    "e": "r",
    "i": "o",
    "o": "p",
    "n": "m",
    "t": "r",
    "s": "d",
    "r": "t",
    "l": "k",
    "c": "v",
    "h": "j",
    "g": "h",
}


def as_typed(filled: Filled, rng: random.Random, *, strength: float = 1.0) -> Filled:
    """Give the instruction the marks of somebody's typing; the quoted stretches change only together with the case.

    Args:
        filled: The instruction; it is not changed.
        rng: Source of chance.
        strength: 0 leaves the text alone, 1 is how people type.
    """
    segments = list(filled.segments)
    if rng.random() < 0.16 * strength:
        segments = _opened(segments, rng)
    if rng.random() < 0.16 * strength:
        segments = _closed(segments, rng)
    if rng.random() < 0.10 * strength:
        segments = [s if s.quoted else replace(s, text=_slip(s.text, rng)) for s in segments]
    if rng.random() < 0.22 * strength:
        segments = [replace(s, text=s.text.lower()) for s in segments]
    elif rng.random() < 0.03 * strength:
        segments = [replace(s, text=s.text.upper()) for s in segments]
    if rng.random() < 0.25 * strength and not segments[-1].quoted:
        bare = segments[-1].text.rstrip("?.!")
        # a line of nothing but dots or question marks stays as it is
        if bare or any(s.text for s in segments[:-1]):
            segments[-1] = replace(segments[-1], text=bare)
    return Filled([s for s in segments if s.text], dict(filled.values))


def _opened(segments: list[Segment], rng: random.Random) -> list[Segment]:
    first = segments[0]
    if not first.quoted and first.text[:1].isupper() and not first.text.startswith(("I ", "I'")) and rng.random() < 0.7:
        segments = [replace(first, text=first.text[0].lower() + first.text[1:]), *segments[1:]]
    opener = rng.choice(_OPENERS)
    return [Segment(opener[0].upper() + opener[1:] if rng.random() < 0.5 else opener), *segments]


def _closed(segments: list[Segment], rng: random.Random) -> list[Segment]:
    last = segments[-1]
    if not last.quoted:
        segments = [*segments[:-1], replace(last, text=last.text.rstrip(".!"))]
    return [*segments, Segment(rng.choice(_CLOSERS))]


def _slip(text: str, rng: random.Random) -> str:
    letters = [index for index, char in enumerate(text) if char.isalpha() and index > 0]
    if len(letters) < 4:
        return text
    for _ in range(1 + len(letters) // 40):
        at = rng.choice(letters)
        if at + 1 >= len(text):
            continue
        kind = rng.randrange(4)
        if text[at - 1].isdigit() or text[at + 1].isdigit():
            continue  # "640x480" must stay two numbers
        if kind == 0:
            text = text[:at] + text[at + 1 :]
        elif kind == 1:
            text = text[:at] + text[at] + text[at:]
        elif kind == 2:
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        else:
            text = text[:at] + _NEIGHBOURS.get(text[at], text[at]) + text[at + 1 :]
        letters = [index for index in letters if index < len(text)]
    return text
