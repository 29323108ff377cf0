"""The skills of LLaVA-Plus, one family a module; the core finds them through the entry point ``llavaplus.skills``.

Knows skills, knows no planner and no graph. The libraries that do the seeing are imported in ``_backends`` only, when
a skill first runs.
"""

from llavaplus_graph.skills import SkillFactory
from llavaplus_tools._backends.pool import Loaded, default_pool
from llavaplus_tools.captioning import caption_and_detect, caption_image
from llavaplus_tools.codes import read_codes
from llavaplus_tools.detection import detect_objects
from llavaplus_tools.editing import edit_image
from llavaplus_tools.examples import segment_by_example
from llavaplus_tools.generation import generate_from_layout, generate_image
from llavaplus_tools.granularities import segment_at_granularities
from llavaplus_tools.inpainting import inpaint_region
from llavaplus_tools.knowledge import retrieve_knowledge
from llavaplus_tools.reading import read_text
from llavaplus_tools.scenes import segment_scene
from llavaplus_tools.segmentation import segment_objects, segment_region
from llavaplus_tools.tagging import tag_and_detect, tag_image
from llavaplus_tools.transforms import transform_image

SKILLS: tuple[SkillFactory, ...] = (
    detect_objects,
    segment_objects,
    segment_region,
    segment_at_granularities,
    segment_by_example,
    segment_scene,
    caption_image,
    caption_and_detect,
    tag_image,
    tag_and_detect,
    read_text,
    read_codes,
    retrieve_knowledge,
    generate_image,
    generate_from_layout,
    edit_image,
    inpaint_region,
    transform_image,
)
"""Every skill of this package, in the order of the catalogue."""


def loaded_models() -> list[Loaded]:
    """The models that skills of this process have loaded and share, least recently used first."""
    return default_pool().loaded()


__all__ = [
    "SKILLS",
    "Loaded",
    "caption_and_detect",
    "caption_image",
    "detect_objects",
    "edit_image",
    "generate_from_layout",
    "generate_image",
    "inpaint_region",
    "loaded_models",
    "read_codes",
    "read_text",
    "retrieve_knowledge",
    "segment_at_granularities",
    "segment_by_example",
    "segment_objects",
    "segment_region",
    "segment_scene",
    "tag_and_detect",
    "tag_image",
    "transform_image",
]
