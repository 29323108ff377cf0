import random
import re
from collections import defaultdict
from collections.abc import Mapping

import pytest

from llavaplus_graph.data.heldout import plain_words
from llavaplus_graph.data.phrasing import AuthoredCall, Filled, Phrasing, Segment, fill, load_phrasings, read_phrasings
from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.data.requests import make_request
from llavaplus_graph.data.slots import Slots
from llavaplus_graph.errors import DataError
from llavaplus_graph.skills import CATALOGUE

SKILLS = tuple(info.name for info in CATALOGUE)
QUOTING = (
    "detect_objects",
    "segment_objects",
    "generate_image",
    "generate_from_layout",
    "inpaint_region",
    "edit_image",
)
MARKED = ("segment_region", "segment_at_granularities", "segment_by_example")


def wish(phrasing: Phrasing) -> str:
    """What the words ask for: erasing takes two rounds, and some words only mean something with their picture."""
    if phrasing.plans is not None:
        return "depends on the picture"
    if phrasing.calls:
        return "two skills"
    return phrasing.skill or "no skill" if phrasing.then is None else f"{phrasing.skill}, then {phrasing.then}"


def worded(text: str, **values: str) -> Filled:
    return fill(Phrasing(None, text, "file/family"), lambda slot: values.get(slot, slot))


def different(phrasings: list[Phrasing]) -> int:
    return len({plain_words(phrasing.text) for phrasing in phrasings})


@pytest.fixture(scope="module")
def by_wish() -> dict[str, list[Phrasing]]:
    grouped = defaultdict(list)
    for phrasing in load_phrasings():
        grouped[wish(phrasing)].append(phrasing)
    return grouped


@pytest.mark.parametrize("family", sorted({phrasing.family.split("/")[0] for phrasing in load_phrasings()}))
def test_every_phrasing_of_a_file_fills_and_makes_a_request(family: str) -> None:
    for phrasing in load_phrasings():
        if phrasing.family.split("/")[0] == family:
            request = make_request(phrasing, random.Random(phrasing.text))
            assert request.text.strip()
            assert not re.search(r"[{}]", request.text)
            wanted = [call.skill for call in phrasing.calls] or [skill for skill in [phrasing.skill] if skill]
            assert [action.name for action in request.actions] == wanted


@pytest.mark.parametrize("skill", SKILLS)
def test_every_skill_of_the_catalogue_has_120_different_phrasings(
    skill: str, by_wish: Mapping[str, list[Phrasing]]
) -> None:
    assert different(by_wish[skill]) >= 120


def test_that_no_skill_is_needed_has_300_different_phrasings(by_wish: Mapping[str, list[Phrasing]]) -> None:
    assert different(by_wish["no skill"]) >= 300


def test_no_words_ask_for_two_different_things() -> None:
    wishes = defaultdict(set)
    for phrasing in load_phrasings():
        wishes[plain_words(phrasing.text)].add(wish(phrasing))
    assert {words: asked for words, asked in wishes.items() if len(asked) > 1} == {}


def test_no_line_stands_twice() -> None:
    lines = [phrasing.text for phrasing in load_phrasings()]
    assert len(set(lines)) == len(lines)


def test_brackets_and_braces_are_closed_and_not_nested() -> None:
    bracket, slot = r"\[[^\[\]]*[^\[\]\s][^\[\]]*\]", r"\{[a-z]+\d*\}"
    for phrasing in load_phrasings():
        without_slots = re.sub(slot, "x", phrasing.text)
        assert not re.search(r"[{}]", without_slots), phrasing.text
        assert not re.search(r"[\[\]]", re.sub(bracket, "x", without_slots)), phrasing.text


def test_every_slot_has_a_vocabulary() -> None:
    names = {name for phrasing in load_phrasings() for name in re.findall(r"\{([a-z]+)\d*\}", phrasing.text)}
    slots = Slots(random.Random(0))
    assert all(slots(name) for name in names)


def test_brackets_stand_just_where_an_argument_is_quoted() -> None:
    for phrasing in load_phrasings():
        calls = phrasing.calls or (AuthoredCall(phrasing.skill or "none", phrasing.arguments),)
        quoting = {n for n, call in enumerate(calls, 1) if call.skill in QUOTING and call.arguments is None}
        quotes = [s.call for s in worded(phrasing.text).segments if s.quoted]
        assert set(quotes) == quoting, phrasing.text
        many = {n for n in quotes if quotes.count(n) > 1}
        assert all(calls[n - 1].skill in ("detect_objects", "segment_objects") for n in many), phrasing.text


def test_slots_of_authored_arguments_stand_in_the_line() -> None:
    for phrasing in load_phrasings():
        authored = [phrasing.arguments, *(call.arguments for call in phrasing.calls)]
        for slot in re.findall(r"\{(\w+)\}", str(authored)):
            assert f"{{{slot}}}" in phrasing.text, phrasing.text


def test_marks_go_with_skills_that_read_them_and_with_the_numbers_in_the_line() -> None:
    for phrasing in load_phrasings():
        inline = {name for name in re.findall(r"\{(box|point)\d*\}", phrasing.text) if phrasing.skill in MARKED}
        asked = {phrasing.skill, *(call.skill for call in phrasing.calls)}
        assert phrasing.marks is None or asked & set(MARKED), phrasing.family
        assert phrasing.marks in (None, "box", "points", "any"), phrasing.family
        assert inline <= {"points": {"point"}, "any": set()}.get(str(phrasing.marks), {"box"}), phrasing.text


def test_plans_by_picture_name_kinds_and_skills() -> None:
    for phrasing in load_phrasings():
        if isinstance(phrasing.plans, Mapping):
            assert phrasing.plans.keys() == set(PICTURE_KINDS), phrasing.family
            assert set(phrasing.plans.values()) <= {*SKILLS, "none"}, phrasing.family
        else:
            assert phrasing.plans in (None, "sight"), phrasing.family


def test_small_talk_has_answers_and_its_lines_are_said_as_they_stand(by_wish: Mapping[str, list[Phrasing]]) -> None:
    for phrasing in by_wish["no skill"]:
        assert all(answer.strip() for answer in phrasing.answers), phrasing.family
        assert phrasing.answers, phrasing.family
        assert not re.search(r"[\[\]{}]", phrasing.text)


def test_brackets_split_a_line_and_slots_are_filled_inside_and_outside() -> None:
    filled = worded("Is the [{thing}] {place}?", thing="red cup", place="on the shelf")
    assert filled.segments == [Segment("Is the "), Segment("red cup", quoted=True), Segment(" on the shelf?")]
    assert (filled.text, filled.quotes) == ("Is the red cup on the shelf?", ["red cup"])


def test_a_slot_that_stands_twice_keeps_its_value_and_numbered_slots_are_drawn_apart() -> None:
    drawn = iter(["cup", "fork"])
    filled = fill(Phrasing(None, "{thing} or {thing2}? the {thing}!", "f/f"), lambda name: next(drawn))
    assert filled.text == "cup or fork? the cup!"
    assert filled.values == {"thing": "cup", "thing2": "fork"}


@pytest.mark.parametrize(
    ("line", "thing", "text"),
    [
        ("find a [{thing}]", "apple", "find an apple"),
        ("find an [{thing}]", "cup", "find a cup"),
        ("[add a {thing}]", "owl", "add an owl"),
        ("A {thing}?", "egg", "An egg?"),
        ("the banana [{thing}]", "apple", "the banana apple"),
    ],
)
def test_articles_agree_with_what_follows(line: str, thing: str, text: str) -> None:
    assert worded(line, thing=thing).text == text


def test_a_family_may_override_the_marks_of_its_file() -> None:
    families = "families: [{name: a, phrasings: [x]}, {name: b, marks: any, phrasings: [y]}]"
    text = f"skill: segment_region\nmarks: box\n{families}"
    assert [(p.family, p.marks) for p in read_phrasings(text, "regions.yaml")] == [
        ("regions/a", "box"),
        ("regions/b", "any"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "skill: [unclosed",
        "families: [{phrasings: [a]}]",
        "families: [{name: greetings}]",
        "families: [{name: greetings, phrasings: just one}]",
        "families: [greetings]",
        "families: greetings",
        "- a list",
        "just words",
        "",
    ],
)
def test_a_file_that_is_no_collection_of_families_is_refused_by_name(text: str) -> None:
    with pytest.raises(DataError, match=r"^wishes\.yaml"):
        read_phrasings(text, "wishes.yaml")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("answers: It is {tags}.", r"line 2: answers: .*valid tuple, not 'It is"),
        ("answer: [x]", r"line 2: answer is a key that is not known there"),
        ("families: [{name: a, phrasings: [yes]}]", r"line 2: families\.1\.phrasings\.1: .*valid string, not True"),
        ("families: [{name: a, phrasings: [x], calls: [read_text]}]", r"line 2: families\.1\.calls\.1: "),
        ("families: [{name: a, phrasings: [x], marks: circle}]", r"line 2: families\.1\.marks: .*not 'circle'"),
    ],
)
def test_a_key_or_value_that_cannot_be_is_told_with_its_line(line: str, complaint: str) -> None:
    more = "" if line.startswith("families") else "\nfamilies: []"
    with pytest.raises(DataError, match=complaint):
        read_phrasings(f"skill: tag_image\n{line}{more}", "wishes.yaml")
