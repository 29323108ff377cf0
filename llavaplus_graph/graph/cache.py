"""Results that need not be found again. Knows what was asked of which skill, no call and no message.

A result is kept under the skill, its version and its arguments; the handle of a picture is the hash of its pixels.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, TypeAlias

from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache, FullKey
from pydantic import BaseModel

from llavaplus_graph.graph.state import Artifact
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import SkillInfo
from llavaplus_graph.types import parse_result

_LOG = logging.getLogger(__name__)
_NO_RESULT = "the cache gives no result, so the skill runs: %s"
_NOT_KEPT = "the cache does not keep a result: %s"

AnyCache: TypeAlias = BaseCache[Artifact]


class ResultCache:
    """The results of earlier calls, in one of LangGraph's caches.

    A cache that cannot be reached, or holds something that is no result, is as good as an empty one: the skill runs.

    Args:
        cache: where they are kept, for example `langgraph.cache.memory.InMemoryCache`.
        store: where the pictures are; a result whose pictures have gone is found again.
    """

    def __init__(self, cache: AnyCache, store: ImageStore) -> None:
        self._cache = cache
        self._store = store

    def get(self, key: FullKey | None) -> Artifact | None:
        """The plain form of a result, or None."""
        if key is None:
            return None
        try:
            return self._usable(self._cache.get([key]).get(key))
        except Exception as err:  # noqa: BLE001  whatever a cache of somebody else's raises
            _LOG.warning(_NO_RESULT, err)
            return None

    async def aget(self, key: FullKey | None) -> Artifact | None:
        """As `get`."""
        if key is None:
            return None
        try:
            return self._usable((await self._cache.aget([key])).get(key))
        except Exception as err:  # noqa: BLE001  as in `get`
            _LOG.warning(_NO_RESULT, err)
            return None

    def put(self, key: FullKey | None, artifact: Artifact) -> None:
        """Keeps a result; failures are not kept."""
        if key is None or artifact["kind"] == "failure":
            return
        try:
            self._cache.set({key: (artifact, None)})
        except Exception as err:  # noqa: BLE001  as in `get`
            _LOG.warning(_NOT_KEPT, err)

    async def aput(self, key: FullKey | None, artifact: Artifact) -> None:
        """As `put`."""
        if key is None or artifact["kind"] == "failure":
            return
        try:
            await self._cache.aset({key: (artifact, None)})
        except Exception as err:  # noqa: BLE001  as in `get`
            _LOG.warning(_NOT_KEPT, err)

    def _usable(self, artifact: Artifact | None) -> Artifact | None:
        if artifact is None or any(handle not in self._store for handle in parse_result(artifact).pictures):
            return None
        return artifact


def cache_key(tool: BaseTool, info: SkillInfo | None, arguments: Mapping[str, Any]) -> FullKey | None:
    """What a result is kept under; None when the same call may well give another result.

    Args:
        tool: the skill.
        info: its row; a tool without one has no version and is never cached.
        arguments: as the skill gets them, pictures as handles.

    Raises:
        ValidationError: the arguments do not fit the skill.
    """
    if info is None or not _repeats(info, arguments):
        return None
    canonical = json.dumps(_spelled_out(tool, arguments), sort_keys=True, default=str)
    return ("llavaplus", info.name, info.version), hashlib.sha256(canonical.encode()).hexdigest()


def _repeats(info: SkillInfo, arguments: Mapping[str, Any]) -> bool:
    if info.repeatable is not None:
        return info.repeatable
    return info.effect == "reads" or arguments.get("seed") is not None


def _spelled_out(tool: BaseTool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their defaults, so that it does not matter which of them the LMM wrote."""
    schema = tool.args_schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return dict(arguments)
    return schema.model_validate(arguments).model_dump(mode="json")
