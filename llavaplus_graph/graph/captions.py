"""Words in place of pixels, for planners that see nothing. Knows one skill, no message.

This is how Visual ChatGPT and MM-REACT (arXiv 2303.11381) let a text-only LLM plan with vision skills: the baseline
that LLaVA-Plus (arXiv 2311.05437, section 4) is compared with.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.protocol import clean_text
from llavaplus_graph.skills import canonical_name
from llavaplus_graph.types import SkillFailure, parse_result

_REMEMBERED = 1024


class Captions:
    """Captions of pictures by handle; each picture is described once.

    Args:
        skills: among them ``caption_image``.

    Raises:
        ConfigError: it is not among them.
    """

    def __init__(self, skills: Sequence[BaseTool]) -> None:
        found = [skill for skill in skills if canonical_name(skill.name) == "caption_image"]
        if not found:
            known = ", ".join(skill.name for skill in skills) or "none"
            raise ConfigError(f"vision='captions' needs the skill caption_image; the skills are {known}")
        self._name, self._executor = found[0].name, Executor(found[:1])
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, handle: str) -> str:
        """What is to be seen in a picture; where the skill fails, why nothing can be said of it."""
        with self._lock:
            if handle in self._known:
                self._known.move_to_end(handle)
                return self._known[handle]
        words, lasting = self._described(handle)
        if lasting:
            with self._lock:
                self._known[handle] = words
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return words

    def _described(self, handle: str) -> tuple[str, bool]:
        call = ToolCall(type="tool_call", id="caption", name=self._name, args={"image": handle})
        artifact = self._executor.execute({"call": call, "images": [handle], "masks": None})["results"]["caption"]
        result = parse_result(artifact)
        if isinstance(result, SkillFailure):
            return f"no description ({clean_text(result.error)})", False
        return clean_text(str(result.content().get("caption", result.content()))), True
