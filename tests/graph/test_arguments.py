import pytest

from llavaplus_graph.errors import SkillError
from llavaplus_graph.graph.arguments import prepared_arguments
from llavaplus_graph.graph.state import Artifact, Task
from llavaplus_graph.testing import call

FIRST, SECOND = "img_00000000000000a1", "img_00000000000000b2"
SCENE: Artifact = {"kind": "scene_map", "image": FIRST, "classes": [], "masks": []}
TAKEN = {"prompt", "image", "layout"}


def task(scene: Artifact | None) -> Task:
    planned = call("generate_from_layout", id="c1").tool_calls[0]
    return {"call": planned, "images": [FIRST, SECOND], "masks": None, "scene": scene}


def layout(scene: Artifact | None, **given: object) -> object:
    return prepared_arguments(given, TAKEN, task(scene), follows_mask=False, follows_map=True)["layout"]


def test_a_layout_is_the_newest_scene_map() -> None:
    assert layout(SCENE) == SCENE
    assert layout(SCENE, layout="latest") == SCENE
    assert layout(SCENE, image="image_1") == SCENE


def test_without_a_scene_map_of_the_picture_the_skill_takes_the_picture() -> None:
    assert layout(None) == "latest"
    assert layout(SCENE, image="image_2") == "latest"


def test_a_layout_by_another_name_is_told() -> None:
    with pytest.raises(SkillError, match="layout must be latest, not 'image_1'"):
        layout(SCENE, layout="image_1")


def test_only_a_skill_that_follows_maps_gets_one() -> None:
    assert "layout" not in prepared_arguments({}, TAKEN, task(SCENE), follows_mask=False)
