"""What a skill would have read or found: plain-JSON contents in the very form in which the skills return them.

Curation runs the real skill where its backend is at hand and speed allows; everything else about the world (which
things a detector finds, which lines a reader reads) is drawn here, from the picture that was rendered where there is
one.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llavaplus_graph.data.slots import Slots, dictionary, invented, random_box, vocabulary
from llavaplus_graph.data.strings import printed, printed_lines
from llavaplus_graph.errors import DataError
from llavaplus_graph.skills import CATALOGUE, catalogued

Content = dict[str, Any]
_ARGUMENTS = ("query", "prompt", "boxes.0", "parameters")
_MOST_TEXT = 260  # characters of printed text in one result; longer pages are cut and the rest is counted


def draw_content(
    skill: str, args: Mapping[str, Any], rng: random.Random, *, texts: Sequence[str] = (), next_picture: int = 2
) -> Content:
    """Draw a result of a skill.

    Args:
        skill: Skill name of the catalogue.
        args: The arguments of the call; queries and boxes come back in the result.
        rng: Source of chance.
        texts: What is printed on (or encoded in) the picture; empty means drawn at random.
        next_picture: The number that a new picture gets in the conversation.

    Raises:
        DataError: If the skill is unknown.
    """
    if skill in ("read_text", "read_codes"):
        return _texts(skill, rng, texts)
    if skill == "detect_objects":
        return _found(str(args["query"]).split(" . "), rng)
    if skill == "segment_objects":
        found = _found(str(args["query"]).split(" . "), rng)
        return found if found["boxes"] else {"boxes": []}  # as the typed result writes it
    if skill == "segment_region":
        return {"boxes": args.get("boxes") or [random_box(rng)]}
    if skill == "segment_at_granularities":
        return {"boxes": [random_box(rng) for _ in range(rng.randint(1, 4))]}
    if skill == "segment_by_example":
        return {"boxes": [random_box(rng) for _ in range(rng.randint(0, 2))]}
    if skill == "segment_scene":
        return _scene(rng)
    if skill == "caption_image":
        return {"caption": _caption(rng)}
    if skill == "caption_and_detect":
        return {
            **_found([_thing(rng) for _ in range(rng.randint(1, 3))], rng, present=1.0),
            "caption": _caption(rng),
        }
    if skill == "tag_image":
        return {"tags": ", ".join(_tags(rng))}
    if skill == "tag_and_detect":
        tags = _tags(rng)[:4]
        return {**_found(tags, rng, present=0.9), "tags": ", ".join(tags)}
    if skill == "retrieve_knowledge":
        return _knowledge(rng)
    if skill in ("generate_image", "generate_from_layout", "edit_image", "inpaint_region", "transform_image"):
        return {"message": f"The {skill} has processed the image.", "pictures": [f"image_{next_picture}"]}
    raise DataError(f"No result is known for the skill {skill!r}; known are {', '.join(i.name for i in CATALOGUE)}.")


def draw_failure(skill: str, rng: random.Random) -> Content:
    """Draw the sentence of a skill that could not do its work, in the words of the skills and the executor."""
    weights = " and ".join(catalogued(skill).weights) or _made_up_weights(rng)
    if rng.random() < 0.4:
        weights = _made_up_weights(rng)
    missing = (
        f"{skill} needs the weights {weights}, which are not on this machine; "
        f"to fetch them run: llavaplus skills fetch {skill}"
    )
    if skill == "retrieve_knowledge":
        missing = (
            "retrieve_knowledge has no collection to look in; "
            "build one with: llavaplus knowledge build FOLDER --out DIR, then set LLAVAPLUS_KNOWLEDGE=DIR"
        )
    sentence = rng.choice(
        [
            missing,
            missing,
            missing,
            missing,
            "there is no picture in this conversation; attach one first",
            f"there is no picture 'image_{rng.randint(2, 9)}' in this conversation; there is latest, image_1",
            "There is no mask yet; mark or segment a region first.",
            "offline, inpaint_region can only erase a region, not paint into it; leave the prompt empty",
            f"{skill} took longer than {rng.randint(5, 120)} s and was stopped.",
            f"{skill} failed unexpectedly.",
            f"{skill} cannot be called like this: {rng.choice(_ARGUMENTS)}: {_words(rng)}",
            f"{_words(rng)}; {_words(rng)}",
            f"{skill}: {_words(rng)} must be {_words(rng)}, not {printed(rng)!r}.",
            f"{_words(rng)}, {_words(rng)}: {_words(rng)}, {printed(rng)}",
            f"{printed(rng)} {_words(rng)}.",
        ]
    )
    return {"error": sentence}


def _made_up_weights(rng: random.Random) -> str:
    owner = rng.choice(["IDEA-Research", "facebook", "Salesforce", "google", "openai", invented(rng)])
    return f"{owner}/{printed(rng).split()[0].lower()}-{rng.choice(['base', 'tiny', 'large', 'small'])}"


def _words(rng: random.Random) -> str:
    return " ".join(rng.choice(dictionary(5_000)) for _ in range(rng.randint(2, 8)))


def _texts(skill: str, rng: random.Random, texts: Sequence[str]) -> Content:
    lines = list(texts) if texts else ([] if rng.random() < 0.06 else printed_lines(rng))
    if skill == "read_codes":
        lines = lines[:3]
        return {"texts": lines, "formats": [rng.choice(["QR_CODE", "QR_CODE", "EAN_13", "CODE_128"]) for _ in lines]}
    kept: list[str] = []
    for line in lines:
        if kept and sum(map(len, kept)) + len(line) > _MOST_TEXT:
            return {"texts": kept, "omitted": len(lines) - len(kept)}
        kept.append(line[:_MOST_TEXT])
    return {"texts": kept}


def _found(phrases: Sequence[str], rng: random.Random, *, present: float = 0.82) -> Content:
    names: list[str] = []
    for phrase in phrases:
        if rng.random() < present:
            names += [phrase] * min(7, 1 + int(rng.expovariate(0.9)))
    content: Content = {
        "boxes": [random_box(rng) for _ in names],
        "logits": [rng.randint(30, 98) / 100 for _ in names],
        "phrases": names[:8],
    }
    return {key: value[:8] for key, value in content.items()}


def _scene(rng: random.Random) -> Content:
    classes = [_thing(rng) for _ in range(rng.randint(1, 6))]
    cuts = sorted(rng.randint(1, 99) for _ in classes[1:])
    areas = [(b - a) / 100 for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    return {"classes": classes, "areas": areas}


def _knowledge(rng: random.Random) -> Content:
    entries = [
        {
            "caption": rng.choice([printed(rng), _caption(rng), Slots(rng).prompt()]),
            "similarity": rng.randint(20, 97) / 100,
        }
        for _ in range(rng.randint(1, 3))
    ]
    return {"retrieval_results": sorted(entries, key=lambda entry: -float(str(entry["similarity"])))}


def _caption(rng: random.Random) -> str:
    words = vocabulary()
    forms: list[Callable[[], str]] = [
        lambda: f"{rng.choice(words['subjects'])} {rng.choice(words['scenes'])}",
        lambda: f"a {_thing(rng)} and a {_thing(rng)} {rng.choice(words['places'])}",
        lambda: f"a {rng.choice(words['adjectives'])} {_thing(rng)} {rng.choice(words['scenes'])}",
        lambda: f"there is a {_thing(rng)} {rng.choice(words['places'])}",
    ]
    return rng.choice(forms)()


def _tags(rng: random.Random) -> list[str]:
    return [_thing(rng) for _ in range(rng.randint(1, 8))]


def _thing(rng: random.Random) -> str:
    return rng.choice(vocabulary()["things"])  # type: ignore[no-any-return]  # the YAML list holds strings
