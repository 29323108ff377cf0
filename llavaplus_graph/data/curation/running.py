"""Runs skills for real on the pictures of a sample and gives what the LMM would read. Knows no labeller."""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.labelling import DroppedError
from llavaplus_graph.data.deadline import OverdueError, invoke_in_time
from llavaplus_graph.data.record import picture_file
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import ConfigError, PictureError
from llavaplus_graph.images import ImageStore, resolve_handle
from llavaplus_graph.protocol import Action
from llavaplus_graph.skill_files import load_skill_file
from llavaplus_graph.skills import load_skills
from llavaplus_graph.types import Mask, Masks, SkillResult, parse_result


def open_skills(entries: Sequence[str], folder: Path, store: ImageStore) -> dict[str, BaseTool]:
    """Find the skills that a spec names.

    Args:
        entries: Names of installed skills, or Python files that make one, relative to `folder`.
        folder: The folder of the spec.
        store: Where the skills find and put pictures.

    Raises:
        ConfigError: If there is no such skill or file, or the file cannot be used.
    """
    found: dict[str, BaseTool] = {}
    for entry in dict.fromkeys(entries):
        found[entry] = (
            load_skill_file(folder / entry, store)
            if entry.endswith(".py")
            else load_skills(only=[entry], store=store)[0]
        )
    for entry, tool in found.items():
        if any(other.name == tool.name for key, other in found.items() if key != entry):
            raise ConfigError(f"two skills of the spec are called {tool.name!r}; rename one.")
    return found


class Running:
    """The skills of one conversation: which pictures there are, and what was found in them last.

    A skill runs once at a time: one that somebody else wrote may not expect threads. One that takes longer than it says
    is left alone, and the next call does not wait for it.

    Args:
        store: Where the skills find and put pictures.
        pictures: Handles of the user's pictures.
    """

    def __init__(self, store: ImageStore, pictures: Sequence[str] = ()) -> None:
        self._store = store
        self.pictures = list(pictures)
        self._masks: Masks | None = None

    @classmethod
    def on(cls, context: ImageContext, folders: Sequence[Path], store: ImageStore) -> Running:
        """Begin a conversation about the picture of a context; the first folder that has it counts.

        Raises:
            DroppedError: If the picture is not there or cannot be read.
        """
        if not context.image:
            return cls(store)
        path = picture_file(context.image, folders)
        if path is None:
            raise DroppedError("its picture is in none of the folders", context.image)
        try:
            return cls(store, [store.put(path)])
        except PictureError as error:
            raise DroppedError("its picture cannot be read", str(error)) from error

    def run(self, tool: BaseTool, given: Mapping[str, Any]) -> tuple[Action, dict[str, Any]]:
        """Run a skill.

        Args:
            tool: The skill.
            given: Its arguments as the LMM writes them; the picture and the mask come from the conversation.

        Returns:
            The call as it is trained, and its result as the LMM reads it; a failure has the key `error`.

        Raises:
            DroppedError: If the arguments name no picture, the skill is too slow, or it breaks.
        """
        args = dict(given)
        try:
            for name in [name for name in tool.args if name == "image" or name.endswith("_image")]:
                args[name] = resolve_handle(str(args.get(name, "latest")), self.pictures)
        except PictureError as error:
            raise DroppedError("it names a picture that is not there", str(error)) from error
        if "mask" in tool.args and self._masks is not None:
            args["mask"] = _union(self._masks.masks).model_dump(mode="json")
        message = _within_deadline(tool, args)
        content: dict[str, Any] = json.loads(str(message.content))
        result: SkillResult | None = parse_result(message.artifact) if message.artifact else None
        if isinstance(result, Masks) and result.masks:
            self._masks = result
        if result is not None and result.pictures:
            first = len(self.pictures) + 1
            self.pictures += result.pictures
            content["pictures"] = [f"image_{first + number}" for number in range(len(result.pictures))]
        return Action(tool.name, dict(given)), content


def _within_deadline(tool: BaseTool, args: Mapping[str, Any]) -> ToolMessage:
    try:
        return invoke_in_time(tool, args)
    except OverdueError as error:
        raise DroppedError("the skill took too long", str(error)) from None
    except Exception as error:
        raise DroppedError("the skill broke", f"{tool.name}: {type(error).__name__}: {error}") from error


def _union(masks: Sequence[Mask]) -> Mask:
    return masks[0] if len(masks) == 1 else Mask.from_array(functools.reduce(operator.or_, (m.array() for m in masks)))
