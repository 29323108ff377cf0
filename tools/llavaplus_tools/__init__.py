"""The skills of LLaVA-Plus, one family a module; the core finds them through the entry point ``llavaplus.skills``.

Knows skills, knows no planner and no graph. The libraries that do the seeing are imported in ``_backends`` only, when
a skill first runs.
"""

from llavaplus_graph.skills import SkillFactory
from llavaplus_tools.codes import read_codes
from llavaplus_tools.inpainting import inpaint_region
from llavaplus_tools.reading import read_text
from llavaplus_tools.segmentation import segment_region
from llavaplus_tools.transforms import transform_image

__all__ = ["SKILLS", "inpaint_region", "read_codes", "read_text", "segment_region", "transform_image"]

SKILLS: tuple[SkillFactory, ...] = (segment_region, read_text, read_codes, inpaint_region, transform_image)
"""Every skill of this package, in the order of the catalogue."""
