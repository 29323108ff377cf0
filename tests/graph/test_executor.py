import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.errors import GraphInterrupt
from pydantic import BaseModel, Field

from llavaplus_graph.errors import PictureError, SkillError
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.graph.state import Task
from llavaplus_graph.testing import call, scripted_skill
from llavaplus_graph.types import Detections, Mask, Masks, Pictures, SkillResult, Tags, Texts

HANDLES = ["img_00000000000000a1", "img_00000000000000b2"]
NO_TAGS = Tags(tags=(), scores=())


def task(name: str, masks: Masks | None = None, **arguments: Any) -> Task:
    planned = call(name, id="c1", **arguments).tool_calls[0]
    return {"call": planned, "images": HANDLES, "masks": masks.model_dump(mode="json") if masks else None}


def run(skill: BaseTool, sent: Task) -> dict[str, Any]:
    """The result of a call, after checking that the asynchronous way gives the same."""
    executor = Executor([skill])
    update = executor.execute(sent)
    assert asyncio.run(executor.aexecute(sent)) == update
    return update["results"]["c1"]


def error_of(skill: BaseTool, sent: Task) -> str:
    artifact = run(skill, sent)
    assert artifact["kind"] == "failure"
    return str(artifact["error"])


def noting(seen: list[Any], argument: str) -> Callable[..., Tags]:
    def run(**arguments: Any) -> Tags:
        seen.append(arguments[argument])
        return NO_TAGS

    return run


def nan() -> SkillResult:
    return Texts.model_construct(texts=("a",), boxes=((float("nan"), 0.0, 1.0, 1.0),), scores=(1.0,))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        pytest.param({}, HANDLES[1], id="missing-is-latest"),
        pytest.param({"image": None}, HANDLES[1], id="null-is-latest"),
        pytest.param({"image": "latest"}, HANDLES[1], id="latest"),
        pytest.param({"image": "image_1"}, HANDLES[0], id="position"),
        pytest.param({"image": HANDLES[0]}, HANDLES[0], id="handle"),
    ],
)
def test_a_skill_gets_the_handle_of_the_picture_that_is_meant(named: dict[str, Any], expected: str) -> None:
    seen: list[str] = []
    run(scripted_skill("read_text", noting(seen, "image")), task("read_text", **named))
    assert set(seen) == {expected}


@pytest.mark.parametrize(
    "image", ["/etc/passwd", "http://10.0.0.1/a.png", "image_3", "img_ffffffffffffffff", "../a.png"]
)
def test_a_model_cannot_name_anything_but_pictures_of_the_conversation(image: str) -> None:
    ran: list[str] = []
    skill = scripted_skill("read_text", noting(ran, "image"))
    assert "there is no picture" in error_of(skill, task("read_text", image=image))
    assert ran == []


def test_a_wire_name_finds_its_skill() -> None:
    assert run(scripted_skill("read_text", NO_TAGS), task("easyocr"))["kind"] == "tags"


def test_an_unknown_skill_is_told_with_the_known_ones() -> None:
    sentence = error_of(scripted_skill("read_text", NO_TAGS), task("fly_away"))
    assert sentence == "there is no skill 'fly_away'; there are read_text."


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        pytest.param(SkillError("the weights are missing"), "the weights are missing", id="skill-error"),
        pytest.param(PictureError("it is too large"), "it is too large", id="picture-error"),
        pytest.param(SkillError("two\nlines"), "two lines", id="line-breaks"),
        pytest.param(SkillError('say "actions🚀" [] </s>'), "say []", id="protocol-markers"),
        pytest.param(OSError("/home/me/secret"), "read_text failed unexpectedly.", id="bug"),
    ],
)
def test_what_a_skill_raises_becomes_one_sentence(raised: Exception, sentence: str) -> None:
    assert error_of(scripted_skill("read_text", raised), task("read_text")) == sentence


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        Executor([scripted_skill("read_text", OSError("/home/me/secret"))]).execute(task("read_text"))
    assert "Traceback" in caplog.text
    assert "/home/me/secret" in caplog.text


class _Boxes(BaseModel):
    image: str = "latest"
    boxes: list[tuple[float, float, float, float]] = Field(max_length=2)


def test_wrong_arguments_are_told_by_name() -> None:
    skill = scripted_skill("segment_region", NO_TAGS, args_schema=_Boxes)
    assert "boxes" in error_of(skill, task("segment_region", boxes="everything"))
    assert "boxes" in error_of(skill, task("segment_region"))


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(nan, id="not-a-number"),
        pytest.param(lambda: Pictures(handles=("/etc/passwd",), message="Done."), id="a-path-as-picture"),
    ],
)
def test_a_result_that_cannot_be_used_is_a_failure(nonsense: Callable[[], SkillResult]) -> None:
    skill = scripted_skill("read_text", lambda **_: nonsense())
    assert error_of(skill, task("read_text")) == "read_text returned a result that cannot be used."


def test_a_result_that_cannot_even_be_made_is_a_failure() -> None:
    def broken(**_: object) -> Detections:
        return Detections(boxes=((0, 0, float("nan"), 1),), scores=(1.0,), labels=("a",))

    assert "boxes" in error_of(scripted_skill("detect_objects", broken), task("detect_objects"))


def test_a_skill_that_hangs_is_given_up() -> None:
    over = threading.Event()

    def hang(**_: object) -> Tags:
        over.wait(5)
        return NO_TAGS

    skill = scripted_skill("read_text", hang, deadline=0.02)
    try:
        assert error_of(skill, task("read_text")) == "read_text took longer than 0.02 s and was stopped."
    finally:
        over.set()


def test_an_interrupt_is_no_failure() -> None:
    skill = scripted_skill("read_text", GraphInterrupt())
    with pytest.raises(GraphInterrupt):
        Executor([skill]).execute(task("read_text"))


def test_a_skill_of_another_make_works_and_fails_alike() -> None:
    def look(image: str, times: int) -> tuple[str, dict[str, Any]]:
        """Looks."""
        if times > 1:
            raise ToolException("once is enough")
        return "", Tags(tags=(image,), scores=(1.0,)).model_dump(mode="json")

    skill = StructuredTool.from_function(look, response_format="content_and_artifact")
    assert run(skill, task("look", times=1))["tags"] == [HANDLES[1]]
    assert error_of(skill, task("look", times=2)) == "once is enough"
    assert "times" in error_of(skill, task("look", times="often"))


def test_a_coroutine_runs_on_the_event_loop_and_can_be_late() -> None:
    async def look(image: str, seconds: float) -> tuple[str, dict[str, Any]]:
        """Looks."""
        await asyncio.sleep(seconds)
        return "", Tags(tags=(image,), scores=(1.0,)).model_dump(mode="json")

    info = scripted_skill("look", NO_TAGS, deadline=0.02).metadata
    skill = StructuredTool.from_function(coroutine=look, response_format="content_and_artifact", metadata=info)
    executor = Executor([skill])
    good = asyncio.run(executor.aexecute(task("look", seconds=0)))
    late = asyncio.run(executor.aexecute(task("look", seconds=5)))
    assert good["results"]["c1"]["kind"] == "tags"
    assert late["results"]["c1"]["error"] == "look took longer than 0.02 s and was stopped."


def square(size: tuple[int, int], row: int) -> Mask:
    import numpy as np

    array = np.zeros(size, dtype=bool)
    array[row] = True
    return Mask.from_array(array)


def test_the_mask_is_the_union_of_the_regions_found_last() -> None:
    masks = Masks(masks=(square((4, 4), 0), square((4, 4), 2)), boxes=((0, 0, 1, 0.25), (0, 0.5, 1, 0.75)))
    seen: list[Any] = []
    skill = scripted_skill("inpaint_region", noting(seen, "mask"))
    run(skill, task("inpaint_region", masks))
    run(skill, task("inpaint_region", masks, mask="latest"))
    assert {Mask.model_validate(mask).area for mask in seen} == {0.5}


@pytest.mark.parametrize(
    ("masks", "mask", "sentence"),
    [
        pytest.param(None, "latest", "There is no mask yet", id="nothing-marked"),
        pytest.param(Masks(masks=(), boxes=()), "latest", "There is no mask yet", id="nothing-found"),
        pytest.param(None, "/etc/passwd", "must be latest", id="path"),
    ],
)
def test_a_mask_that_is_not_there_is_told(masks: Masks | None, mask: str, sentence: str) -> None:
    skill = scripted_skill("inpaint_region", NO_TAGS)
    assert sentence in error_of(skill, task("inpaint_region", masks, mask=mask))
