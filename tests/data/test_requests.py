import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from PIL import Image

from llavaplus_graph.data.phrasing import AuthoredCall, Phrasing, load_phrasings
from llavaplus_graph.data.requests import Request, make_request
from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import Action
from llavaplus_graph.skills import CATALOGUE
from llavaplus_tools.transforms import TransformParameters, transformed

Complaint = Callable[[str, Mapping[str, Any]], str]
SEEDS = range(60)


def requests(text: str, skill: str | None, **fields: Any) -> Iterator[Request]:
    phrasing = Phrasing(skill, text, "file/family", **fields)
    return (make_request(phrasing, random.Random(seed)) for seed in SEEDS)


def params(request: Request) -> Mapping[str, Any]:
    assert request.action is not None
    return request.action.params


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize("skill", [info.name for info in CATALOGUE])
def test_every_action_fits_the_schema_of_the_installed_skill(skill: str, complaint: Complaint) -> None:
    asked = [phrasing for phrasing in load_phrasings() if phrasing.skill == skill]
    assert asked
    for seed in range(3):
        for phrasing in asked:
            request = make_request(phrasing, random.Random(f"{seed} {phrasing.text}"))
            assert complaint(skill, params(request)) == "", request


def test_every_transformation_can_be_done() -> None:
    families = {phrasing.family: phrasing for phrasing in load_phrasings() if phrasing.skill == "transform_image"}
    assert len(families) > 20
    for phrasing in families.values():
        args = params(make_request(phrasing, random.Random(1)))
        transformed(Image.new("RGB", (8, 6)), args["operation"], TransformParameters(**args["parameters"]))


def test_every_quoted_argument_stands_in_the_text() -> None:
    for seed in range(3):
        for phrasing in load_phrasings():
            request = make_request(phrasing, random.Random(f"{seed} {phrasing.text}"))
            quoted = params(request) if request.action and phrasing.arguments is None else {}
            for key in quoted.keys() & {"query", "prompt", "instruction"}:
                assert all(part in request.text for part in str(quoted[key]).split(" . ")), request


def test_things_to_look_for_are_joined_by_dots() -> None:
    for request in requests("find the [{thing}], the [red cup] and [{things}]", "detect_objects"):
        query = str(params(request)["query"])
        assert query.count(" . ") == 2
        assert query.split(" . ")[1].lower() == "red cup"


@pytest.mark.parametrize(
    ("skill", "key"),
    [("generate_image", "prompt"), ("edit_image", "instruction"), ("inpaint_region", "prompt")],
)
def test_a_bracket_becomes_the_argument_of_its_skill(skill: str, key: str) -> None:
    for request in requests("now [a fox in the snow] please", skill):
        assert {name: value.lower() for name, value in params(request).items()} == {key: "a fox in the snow"}


def test_an_erasing_prompt_is_empty_as_authored() -> None:
    assert all(params(r) == {"prompt": ""} for r in requests("gone", "inpaint_region", arguments={"prompt": ""}))


def test_without_a_bracket_there_is_nothing_to_quote() -> None:
    with pytest.raises(DataError, match=r"file/family: 'find it' has no \[brackets\] for its query"):
        list(requests("find it", "detect_objects"))


def test_degrees_are_whole_and_negative_against_the_clock() -> None:
    wanted = {"operation": "rotate", "parameters": {"degrees": "-{degrees}"}}
    for request in requests("turn {degrees} to the left", "transform_image", arguments=wanted):
        degrees = params(request)["parameters"]["degrees"]
        assert isinstance(degrees, int)
        assert [-degrees] == numbers(request.text)


def test_percent_become_a_share() -> None:
    wanted = {"operation": "resize", "parameters": {"scale": "{percent}%"}}
    for request in requests("scale to {percent}%", "transform_image", arguments=wanted):
        scale = params(request)["parameters"]["scale"]
        assert isinstance(scale, float)
        assert [scale * 100] == pytest.approx(numbers(request.text))


def test_sides_are_whole_pixels_and_factors_are_not_rounded() -> None:
    sides = {"operation": "resize", "parameters": {"width": "{width}", "height": "{height}"}}
    for request in requests("{width} by {height}", "transform_image", arguments=sides):
        size = list(params(request)["parameters"].values())
        assert size == numbers(request.text)
        assert all(isinstance(side, int) for side in size)
    factor = {"operation": "contrast", "parameters": {"factor": "{factor}"}}
    for request in requests("contrast {factor}", "transform_image", arguments=factor):
        assert [params(request)["parameters"]["factor"]] == numbers(request.text)


def test_a_written_box_becomes_four_numbers() -> None:
    wanted = {"operation": "crop", "parameters": {"box": "{box}"}}
    for request in requests("crop {box}", "transform_image", arguments=wanted):
        assert params(request)["parameters"]["box"] == numbers(request.text)


def test_authored_values_stay_as_they_are() -> None:
    wanted = {"operation": "crop", "parameters": {"box": [0.0, 0.0, 0.5, 1.0]}}
    assert all(params(r) == wanted for r in requests("left half", "transform_image", arguments=wanted))


@pytest.mark.parametrize("kind", ["box", "points"])
def test_drawn_marks_follow_the_words_with_the_numbers_of_the_call(kind: str) -> None:
    counts = set()
    for request in requests("cut it out", "segment_region", marks=kind):
        args = params(request)
        marks = args["boxes" if kind == "box" else "points"]
        labels = args.get("point_labels", [])
        written = numbers(request.text.partition("\n")[2])
        flat = [number for mark in marks for number in mark]
        assert written in (flat, [*flat, *labels])
        assert (written != flat) == (0 in labels)
        assert len(labels) == (len(marks) if kind == "points" else 0)
        counts.add(len(marks))
    assert counts == {1, 2, 3}


def test_any_mark_is_a_box_or_points() -> None:
    keys = {tuple(params(request)) for request in requests("cut it out", "segment_region", marks="any")}
    assert keys == {("boxes",), ("points", "point_labels")}


def test_marks_written_in_the_words_are_not_written_again() -> None:
    for request in requests("what is at {point} and {point2}", "segment_region", marks="points"):
        assert [n for point in params(request)["points"] for n in point] == numbers(request.text)
        assert params(request)["point_labels"] == [1, 1]


def test_all_sizes_take_one_point_and_an_example_takes_one_box_of_the_first_picture() -> None:
    for request in requests("all sizes", "segment_at_granularities", marks="points"):
        assert [*params(request)["point"]] == numbers(request.text.partition("\n")[2])
    for request in requests("find it there", "segment_by_example"):
        args = params(request)
        assert args["reference_image"] == "image_1"
        assert args["reference_region"] == numbers(request.text.partition("\n")[2])


def test_small_talk_asks_for_nothing() -> None:
    assert all(request.action is None for request in requests("hello", None))


def test_the_same_seed_makes_the_same_request() -> None:
    for phrasing in load_phrasings()[::97]:
        first, second = (make_request(phrasing, random.Random(2)) for _ in range(2))
        assert first == second


def test_a_line_that_asks_for_two_skills_gives_each_its_own_words() -> None:
    calls = (AuthoredCall("detect_objects"), AuthoredCall("generate_image"))
    line = "find the [1:cup] and the [1:fork], then paint [2:a fox]"
    request = make_request(Phrasing(None, line, "two/lines", calls=calls), random.Random(0), strength=0)
    assert request.text == "find the cup and the fork, then paint a fox"
    assert request.actions == (
        Action("detect_objects", {"query": "cup . fork"}),
        Action("generate_image", {"prompt": "a fox"}),
    )


def test_a_line_that_asks_for_two_skills_fills_authored_arguments() -> None:
    turn = AuthoredCall("transform_image", {"operation": "rotate", "parameters": {"degrees": "{degrees}"}})
    phrasing = Phrasing(None, "read it and turn it {degrees}", "two/lines", calls=(AuthoredCall("read_text"), turn))
    request = make_request(phrasing, random.Random(0), strength=0)
    degrees = int(request.text.rsplit(" ", 1)[1])
    assert request.actions[1].params["parameters"] == {"degrees": degrees}


def test_one_of_two_calls_can_be_about_what_is_marked() -> None:
    calls = (AuthoredCall("caption_image"), AuthoredCall("segment_region"))
    for request in requests("describe it and cut out my selection", None, calls=calls, marks="points"):
        described, segmented = request.actions
        assert described == Action("caption_image", {})
        assert segmented.params.keys() == {"points", "point_labels"}
        marked = numbers(str(segmented.params["points"]))
        assert numbers(request.text)[: len(marked)] == marked
