"""What the LMM is taught to think and to say: fixed forms around words and numbers that are copied from results."""

from collections.abc import Mapping, Sequence
from typing import Any

from llavaplus_graph.protocol import thanks

KIND_NAMES = {
    "page": "a page of text",
    "sign": "a sign",
    "receipt": "a receipt",
    "screen": "a screen",
    "qr_code": "a QR code",
    "barcode": "a barcode",
    "scene": "a drawn scene",
    "photograph": "a photograph",
    "blank": "a blank picture",
}


def sight(kinds: Sequence[str]) -> str:
    """Say what kinds of picture there are, as the opening of a thought; empty without pictures."""
    return f"I see {' and '.join(KIND_NAMES[kind] for kind in kinds)}. " if kinds else ""


def plan_thought(skills: Sequence[str], *, kinds: Sequence[str] = (), then: str | None = None) -> str:
    """Say which skills are needed, or that none is."""
    if not skills:
        return f"{sight(kinds)}No skill is needed."
    later = f" first, then {then}" if then else ""
    return f"{sight(kinds)}I need {' and '.join(skills)}{later}."


def next_thought(done: str, then: str) -> str:
    """Say between two rounds what comes next."""
    return f"Thanks to the output of {done}. Now I need {then}."


def answer_thought(skills: Sequence[str]) -> str:
    """Give the constant thought of a final turn."""
    return thanks(skills)


def sight_answer(kind: str) -> str:
    """Say what kind of picture it is, for questions that looking alone answers."""
    if kind == "blank":
        return "The picture is blank; there is nothing on it."
    return f"The picture shows {KIND_NAMES[kind]}."


def answer(skill: str, content: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    """Word the answer to a result; every number and every text in it stands in the result or in the call.

    Args:
        skill: Skill name.
        content: The result as the LMM reads it.
        args: The arguments of the call.
    """
    if "error" in content:
        return f"That did not work: {content['error']}"
    if skill == "read_text":
        return _quoted("It says: ", content, "I could not find any text.")
    if skill == "read_codes":
        return _quoted("The code contains: ", content, "I could not find a code that can be read.")
    if skill in ("detect_objects", "segment_by_example", "segment_at_granularities", "segment_region"):
        return _located(content, args)
    if skill == "segment_objects":
        names = content.get("phrases")
        return f"I outlined {len(names)}: {', '.join(names)}." if names else _missing(args)
    if skill == "segment_scene":
        areas = zip(content["classes"], content["areas"], strict=True)
        return f"The scene consists of {', '.join(f'{name} ({area})' for name, area in areas)}."
    if skill == "caption_image":
        return f"It shows {content['caption']}."
    if skill == "caption_and_detect":
        return f"It shows {content['caption']}. {_located(content, args)}"
    if skill == "tag_image":
        return f"I see {content['tags']}."
    if skill == "tag_and_detect":
        return f"I see {content['tags']}. {_located(content, args)}"
    if skill == "retrieve_knowledge":
        best = content["retrieval_results"][0]
        return f"It is probably {best['caption']} (similarity {best['similarity']})."
    return _plainly(content, args)


def _plainly(content: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    """Word a result by what it holds, whichever skill it comes from."""
    if content.get("pictures"):
        return f"Done. The new picture is {content['pictures'][0]}."
    if "texts" in content:
        return _quoted("It says: ", content, "I could not find any text.")
    if "boxes" in content:
        return _located(content, args)
    if "tags" in content:
        return f"I see {content['tags']}."
    if "caption" in content:
        return f"It shows {content['caption']}."
    return f"The result is {', '.join(f'{name} {value}' for name, value in content.items())}."


def _quoted(opening: str, content: Mapping[str, Any], nothing: str) -> str:
    if not content["texts"]:
        return nothing
    lines = ", ".join(f'"{line}"' for line in content["texts"])
    more = f" and {content['omitted']} more lines" if content.get("omitted") else ""
    return f"{opening}{lines}{more}."


def _located(content: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    boxes = content["boxes"]
    names = content.get("phrases") or ["region"] * len(boxes)
    if not boxes:
        return _missing(args)
    return f"I found {len(boxes)}: {', '.join(f'{name} {box}' for name, box in zip(names, boxes, strict=True))}."


def _missing(args: Mapping[str, Any]) -> str:
    return (
        f"I could not find {' or '.join(str(args['query']).split(' . '))}."
        if "query" in args
        else "I could not find it."
    )
