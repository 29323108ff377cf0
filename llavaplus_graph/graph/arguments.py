"""What the LMM leaves open in a call, filled from the conversation. Knows handles and masks, no pixels and no tool."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Mapping
from typing import Any

from llavaplus_graph.errors import SkillError
from llavaplus_graph.graph.state import Artifact, Task
from llavaplus_graph.images import resolve_handle
from llavaplus_graph.types import Mask, Masks, parse_result


def prepared_arguments(
    given: Mapping[str, Any], accepted: Collection[str], task: Task, *, follows_mask: bool, follows_map: bool = False
) -> dict[str, Any]:
    """Replaces ``latest`` and ``image_2`` by handles, and the mask and the layout ``latest`` by what was found last.

    Args:
        given: the arguments that the LMM wrote.
        accepted: names of the arguments that the skill takes.
        task: the pictures and regions of the conversation.
        follows_mask: whether the skill's ``mask`` comes from the conversation.
        follows_map: whether its ``layout`` does. Where there is no scene map, or the LMM names another picture than the
            map's, the skill takes the layout of the picture.

    Raises:
        PictureError: there is no such picture in the conversation.
        SkillError: no region has been found yet, or the mask or layout is named by anything but ``latest``.
    """
    names_picture = given.get("image") is not None
    arguments = dict(given)
    if "image" in accepted and arguments.get("image") is None:
        arguments["image"] = "latest"
    for name, value in arguments.items():
        # Any other kind of value is left to the skill's schema, which refuses it.
        if (name == "image" or name.endswith("_image")) and name in accepted and isinstance(value, str):
            arguments[name] = resolve_handle(value, task["images"])
    if follows_mask:
        arguments["mask"] = _mask(arguments.get("mask"), task["masks"])
    if follows_map:
        arguments["layout"] = _layout(
            arguments.get("layout"), task.get("scene"), arguments.get("image") if names_picture else None
        )
    return arguments


def _layout(wanted: object, scene: Artifact | None, handle: object) -> object:
    """The newest scene map, unless it is of another picture than the one that the LMM names."""
    if isinstance(wanted, str) and wanted != "latest":
        raise SkillError(f"The argument layout must be latest, not {wanted[:60]!r}.")
    if wanted is not None and wanted != "latest":
        return wanted
    return scene if scene is not None and (handle is None or scene.get("image") == handle) else "latest"


def _mask(wanted: object, masks: Artifact | None) -> object:
    if isinstance(wanted, str) and wanted != "latest":
        raise SkillError(f"The argument mask must be latest, not {wanted[:60]!r}.")
    if wanted is not None and wanted != "latest":
        return wanted
    found = parse_result(masks) if masks else None
    if not isinstance(found, Masks) or not found.masks:
        raise SkillError("There is no mask yet; mark or segment a region first.")
    return _union(found.masks).model_dump(mode="json")


def _union(masks: tuple[Mask, ...]) -> Mask:
    return masks[0] if len(masks) == 1 else Mask.from_array(functools.reduce(operator.or_, (m.array() for m in masks)))
