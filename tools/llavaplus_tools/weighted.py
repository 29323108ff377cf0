"""Skills that need weights: what the model may ask of them, and the sentence it hears while no backend is there.

Each factory takes a `backend`, a function of the validated arguments that returns a typed result. Without one the skill
still exists, so that the LMM plans it and learns from the answer what is missing. Knows no weights and loads none.
"""

from collections.abc import Callable
from typing import Annotated

from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import PictureArgument, PictureArguments, SkillFactory, catalogued, make_skill
from llavaplus_graph.types import Box, Point, SkillResult

Backend = Callable[..., SkillResult]
Quoted = Annotated[str, Field(min_length=1, max_length=2_000, json_schema_extra={"x-quoted": True})]
"""Words of the user, copied: a decoder may hold the argument to them."""


class QueryArguments(PictureArguments):
    """What is looked for."""

    query: Quoted = Field(description="The things to look for, as the user names them, several joined by ' . '.")


class ThresholdArguments(QueryArguments):
    """What is looked for, and how sure the detector has to be."""

    box_threshold: float = Field(default=0.3, ge=0, le=1, description="Least confidence of a box, 0 to 1.")
    text_threshold: float = Field(default=0.25, ge=0, le=1, description="Least confidence of a phrase, 0 to 1.")


class PointArguments(PictureArguments):
    """Where to look."""

    point: Point = Field(description="The point [x, y], as shares of width and height.")


class ExampleArguments(PictureArguments):
    """An example of what is looked for."""

    reference_image: PictureArgument = Field(description="The picture with the example: image_1, image_2 or a handle.")
    reference_region: Box = Field(description="The box [x1, y1, x2, y2] around the example.")


class PromptArguments(BaseModel):
    """What shall be painted."""

    prompt: Quoted = Field(description="The wished-for picture, in the user's words.")


class LayoutArguments(PictureArguments):
    """What shall be painted over the layout of a picture."""

    prompt: Quoted = Field(description="The wished-for picture, in the user's words.")


class InstructionArguments(PictureArguments):
    """What shall be changed."""

    instruction: Quoted = Field(description="The change, in the user's words.")


def weighted_skill(name: str, args_schema: type[BaseModel], description: str) -> SkillFactory:
    """Make the factory of a skill whose backend is passed in.

    Args:
        name: The skill's name in the catalogue.
        args_schema: What the model gives.
        description: What the model is told.
    """
    info = catalogued(name)

    def factory(*, store: ImageStore | None = None, backend: Backend | None = None) -> BaseTool:
        del store

        def run(**arguments: object) -> SkillResult:
            if backend is None:
                raise SkillError(_missing(name))
            return backend(**arguments)

        return make_skill(run, info, args_schema, description=description)

    factory.__name__ = name
    factory.__doc__ = (
        f"{description}\n\nArgs:\n    store: Not used.\n"
        "    backend: Does the work; gets the model's arguments by keyword."
    )
    return factory


def _missing(name: str) -> str:
    weights = " and ".join(catalogued(name).weights)
    return f"{name} needs the weights {weights}, which are not on this machine; skills that need none still work."


detect_objects = weighted_skill(
    "detect_objects", ThresholdArguments, "Find, locate and count named things; gives a box for each."
)
segment_objects = weighted_skill("segment_objects", QueryArguments, "Outline named things; gives a mask for each.")
segment_at_granularities = weighted_skill(
    "segment_at_granularities", PointArguments, "Outline what is at a point, from the smallest part to the whole."
)
segment_by_example = weighted_skill(
    "segment_by_example", ExampleArguments, "Find in one picture what was marked in another."
)
segment_scene = weighted_skill(
    "segment_scene", PictureArguments, "Name every area of a scene: road, sky, building and so on."
)
caption_image = weighted_skill("caption_image", PictureArguments, "Describe a picture in a sentence.")
caption_and_detect = weighted_skill(
    "caption_and_detect", PictureArguments, "Describe a picture and box the things described."
)
tag_image = weighted_skill("tag_image", PictureArguments, "List what is in a picture as keywords.")
tag_and_detect = weighted_skill(
    "tag_and_detect", PictureArguments, "List what is in a picture, with a box for each thing."
)
retrieve_knowledge = weighted_skill("retrieve_knowledge", PictureArguments, "Look up facts about what a picture shows.")
generate_image = weighted_skill("generate_image", PromptArguments, "Paint a new picture from words.")
generate_from_layout = weighted_skill(
    "generate_from_layout", LayoutArguments, "Paint a new picture with the layout of this one."
)
edit_image = weighted_skill("edit_image", InstructionArguments, "Change a picture as told.")
