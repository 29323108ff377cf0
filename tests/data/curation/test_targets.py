import random

import pytest

from llavaplus_graph.data.curation.labelling import DroppedError, Marks
from llavaplus_graph.data.curation.targets import draw_absent, draw_marks, mark_arguments
from llavaplus_graph.data.slots import vocabulary
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills
from llavaplus_graph.testing import scripted_skill
from llavaplus_graph.types import Tags

CUP = {"name": "cup", "box": [0.123, 0.2, 0.523, 0.6]}
CRUMB = {"name": "crumb", "box": [0.9, 0.9, 0.91, 0.91]}
CONTEXT = ImageContext.model_validate({"image": "a.png", "captions": ["A cup by a dog."], "objects": [CUP, CRUMB]})
REGION = load_skills(only=["segment_region"], store=ImageStore("memory://targets"))[0]


def test_a_box_is_drawn_around_something_large_enough() -> None:
    marks = draw_marks(CONTEXT, REGION, "box", random.Random(1))
    assert (marks.boxes, marks.names) == (((0.12, 0.2, 0.52, 0.6),), ("cup",))
    assert marks.text() == "\nThe input boxes are: [[0.12, 0.2, 0.52, 0.6]]"
    assert mark_arguments(marks, REGION) == {"boxes": [[0.12, 0.2, 0.52, 0.6]]}


def test_a_point_is_set_into_the_middle() -> None:
    marks = draw_marks(CONTEXT, REGION, "points", random.Random(1))
    assert marks.text() == "\nThe input points are: [[0.32, 0.4]]"
    assert mark_arguments(marks, REGION) == {"points": [[0.32, 0.4]], "point_labels": [1]}


def test_something_is_marked_where_nothing_is_known() -> None:
    marks = draw_marks(ImageContext(image="a.png"), REGION, None, random.Random(1))
    assert marks.names == ()
    assert marks.boxes or marks.points


def test_an_example_region_names_its_picture() -> None:
    (tool,) = load_skills(only=["segment_by_example"], store=ImageStore("memory://targets"))
    assert mark_arguments(Marks(boxes=((0.1, 0.2, 0.3, 0.4),)), tool) == {
        "reference_image": "image_1",
        "reference_region": [0.1, 0.2, 0.3, 0.4],
    }


def test_a_skill_without_marks_is_refused() -> None:
    with pytest.raises(ConfigError, match="'tag_image' takes no box or point"):
        draw_marks(CONTEXT, scripted_skill("tag_image", Tags(tags=(), scores=())), None, random.Random(1))


def test_what_is_absent_stands_in_other_pictures_and_not_in_this_ones_captions() -> None:
    drawn = {draw_absent(CONTEXT, ["cup", "dog", "cups", "horse"], random.Random(seed)) for seed in range(20)}
    assert drawn == {"horse"}


def test_without_other_pictures_the_vocabulary_gives_what_is_absent() -> None:
    assert draw_absent(CONTEXT, ["cup"], random.Random(1)) != "cup"


def test_where_everything_is_there_nothing_is_absent() -> None:
    everything = CONTEXT.model_copy(update={"captions": tuple(vocabulary()["things"])})
    with pytest.raises(DroppedError, match="everything that could be asked for"):
        draw_absent(everything, ["cup"], random.Random(1))
