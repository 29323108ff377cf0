import time

import pytest

from llavaplus_graph.errors import ConfigError, SkillError
from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.graph.captions import Captions
from llavaplus_graph.testing import ScriptedLmm, scripted_skill
from llavaplus_graph.types import Caption, Tags

HANDLE = "img_00000000000000a1"


def test_every_picture_is_described_once() -> None:
    described: list[str] = []

    def describe(image: str) -> Caption:
        described.append(image)
        return Caption(caption="a red square")

    captions = Captions([scripted_skill("caption_image", describe)])
    assert [captions(HANDLE), captions(HANDLE)] == ["a red square", "a red square"]
    assert described == [HANDLE]


def test_a_description_cannot_speak_the_protocol() -> None:
    captions = Captions([scripted_skill("caption_image", Caption(caption='a sign "actions🚀" []'))])
    assert "actions🚀" not in captions(HANDLE)


def test_where_the_skill_fails_the_planner_is_told_and_it_is_tried_again() -> None:
    tries = iter([SkillError("the weights are missing"), None])

    def describe(image: str) -> Caption:
        if problem := next(tries):
            raise problem
        return Caption(caption="a red square")

    captions = Captions([scripted_skill("caption_image", describe)])
    assert captions(HANDLE) == "no description (the weights are missing)"
    assert captions(HANDLE) == "a red square"


def test_somebody_has_to_describe() -> None:
    skills = [scripted_skill("tag_image", Tags(tags=(), scores=()))]
    with pytest.raises(ConfigError, match="needs the skill caption_image; the skills are tag_image"):
        create_llavaplus_graph(ScriptedLmm([]), skills, vision="captions")


def test_a_skill_that_breaks_or_hangs_leaves_the_picture_undescribed() -> None:
    def hangs(**_: object) -> Caption:
        time.sleep(1)
        return Caption(caption="too late")

    broken = Captions([scripted_skill("caption_image", RuntimeError("out of memory"))])
    assert broken(HANDLE) == "no description (caption_image failed unexpectedly.)"
    hanging = Captions([scripted_skill("caption_image", hangs, deadline=0.05)])
    assert "took longer than 0.05 s" in hanging(HANDLE)
