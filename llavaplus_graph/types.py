"""The vocabulary: boxes, points, masks and what a skill returns. Knows no skill, no model and no file.

A result is frozen, dumps to plain JSON (``model_dump(mode="json")``, the artifact of a tool message), comes back
through `parse_result` and draws itself.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PrivateAttr, TypeAdapter, ValidationError, model_validator

from llavaplus_graph import drawing
from llavaplus_graph.geometry import Box as Box
from llavaplus_graph.geometry import Mask as Mask
from llavaplus_graph.geometry import Point as Point
from llavaplus_graph.geometry import Score as Score

if TYPE_CHECKING:
    from PIL import Image


class SkillResult(BaseModel):
    """What a skill returns.

    Attributes:
        kind: which result this is; `parse_result` goes by it.
        image: handle of the picture that the result speaks of, when there is one.
        left_out: how many more boxes, masks or texts there were than a result may hold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    image: str | None = None
    left_out: Annotated[int, Field(ge=0)] = 0
    _load: Callable[[str], Image.Image] | None = PrivateAttr(default=None)

    def content(self) -> dict[str, JsonValue]:
        """The short plain-JSON form that the LMM reads, with LLaVA-Plus's keys; numbers have two decimals."""
        raise NotImplementedError

    def _told(self, content: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """The content, with ``left_out`` where that is not 0."""
        return {**content, "left_out": self.left_out} if self.left_out else content

    @property
    def pictures(self) -> tuple[str, ...]:
        """Handles of the pictures that the skill made."""
        return ()

    def bound_to(self, load: Callable[[str], Image.Image]) -> Self:
        """A copy that finds its own pictures, so that `draw` needs no argument.

        Args:
            load: gives the RGB picture of a handle, for example ``ImageStore.get``.
        """
        bound = self.model_copy()
        bound._load = load
        return bound

    def draw(self, picture: Image.Image | None = None) -> Image.Image:
        """Draws the result onto a copy of its picture.

        Args:
            picture: what to draw on; by default the picture the result is bound to. Pictures with a long side under
                256 pixels are enlarged first, so that lines and labels stay legible.

        Raises:
            ValueError: no picture is given and the result is not bound to one.
        """
        return self._drawn_on(picture if picture is not None else self._bound_picture())

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        raise NotImplementedError

    def _bound_picture(self) -> Image.Image:
        if self._load is None or self.image is None:
            raise ValueError("this result knows no picture to draw on; pass one to draw(), or use bound_to() first")
        return self._load(self.image)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows for the result: its drawing, where it is bound to a picture."""
        if self._load is None or not (self.image or self.pictures):
            return None
        buffer = io.BytesIO()
        self.draw().save(buffer, format="PNG")
        return buffer.getvalue()

    def __eq__(self, other: object) -> bool:
        # Pydantic compares private attributes too, but the same result is the same whether it is bound or not.
        return type(self) is type(other) and self.__dict__ == other.__dict__


def _rounded(values: tuple[float, ...]) -> list[JsonValue]:
    # Adding 0.0 turns -0.0 into 0.0.
    return [round(value, 2) + 0.0 for value in values]


def _with_scores(labels: tuple[str, ...], scores: tuple[float, ...]) -> list[str]:
    if not scores:
        return list(labels)
    return [f"{label} {score:.2f}" for label, score in zip(labels, scores, strict=True)]


def _same_length(kind: str, **columns: tuple[object, ...]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValueError(f"{kind} must have equally many of each, not {told}")


class Detections(SkillResult):
    """Boxes with labels, and the caption or tags they were sought with.

    Attributes:
        boxes: one `Box` each.
        scores: 0 to 1, one each.
        labels: the phrase that matched, one each.
        caption: set where a caption was made first.
        tags: set where tags were made first.
    """

    kind: Literal["detections"] = "detections"
    boxes: tuple[Box, ...]
    scores: tuple[Score, ...]
    labels: tuple[str, ...]
    caption: str | None = None
    tags: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        _same_length("detections", boxes=self.boxes, scores=self.scores, labels=self.labels)
        return self

    def content(self) -> dict[str, JsonValue]:
        """Keys ``boxes``, ``logits``, ``phrases`` and, where there is one, ``caption`` or ``tags``."""
        content: dict[str, JsonValue] = {
            "boxes": [_rounded(box) for box in self.boxes],
            "logits": _rounded(self.scores),
            "phrases": list(self.labels),
        }
        if self.caption is not None:
            content["caption"] = self.caption
        if self.tags is not None:
            content["tags"] = ", ".join(self.tags)
        return self._told(content)

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        below = self.caption if self.caption is not None else ", ".join(self.tags or ())
        return drawing.draw_boxes(picture, self.boxes, _with_scores(self.labels, self.scores), below)


class Masks(SkillResult):
    """Segmented regions.

    Attributes:
        masks: one each, all of the picture's size.
        boxes: the `Box` around each mask, or the one it was asked for with.
        labels: one each, or none at all.
        scores: 0 to 1, one each, or none at all.
    """

    kind: Literal["masks"] = "masks"
    masks: tuple[Mask, ...]
    boxes: tuple[Box, ...]
    labels: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        optional = {"labels": self.labels, "scores": self.scores}
        given = {name: column for name, column in optional.items() if column}
        _same_length("masks", masks=self.masks, boxes=self.boxes, **given)
        return self

    def content(self) -> dict[str, JsonValue]:
        """Key ``boxes``; with labels also ``logits`` and ``phrases``. The masks themselves are not told."""
        content: dict[str, JsonValue] = {"boxes": [_rounded(box) for box in self.boxes]}
        if self.labels and self.scores:
            content["logits"] = _rounded(self.scores)
        if self.labels:
            content["phrases"] = list(self.labels)
        return self._told(content)

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        labels = _with_scores(self.labels, self.scores) if self.labels else [""] * len(self.masks)
        return drawing.draw_masks(picture, [mask.array() for mask in self.masks], labels)


class SceneMap(SkillResult):
    """Every pixel's class: one mask a class.

    Attributes:
        classes: names, in the order of the masks.
        masks: where each class is.
    """

    kind: Literal["scene_map"] = "scene_map"
    classes: tuple[str, ...]
    masks: tuple[Mask, ...]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        _same_length("a scene map", classes=self.classes, masks=self.masks)
        return self

    def content(self) -> dict[str, JsonValue]:
        """Keys ``classes`` and ``areas``, the share of the picture that each class covers."""
        areas = _rounded(tuple(mask.area for mask in self.masks))
        return self._told({"classes": list(self.classes), "areas": areas})

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        return drawing.draw_scene(picture, [mask.array() for mask in self.masks], self.classes)


class Texts(SkillResult):
    """Texts read from a picture, in reading order, or the contents of its codes.

    Attributes:
        texts: what was read, exactly.
        boxes: the upright `Box` around each text.
        scores: 0 to 1, one each.
        formats: for codes, what each one is, for example ``"QR_CODE"`` or ``"EAN_13"``.
    """

    kind: Literal["texts"] = "texts"
    texts: tuple[str, ...]
    boxes: tuple[Box, ...]
    scores: tuple[Score, ...]
    formats: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        optional = {"formats": self.formats} if self.formats is not None else {}
        _same_length("texts", texts=self.texts, boxes=self.boxes, scores=self.scores, **optional)
        return self

    def content(self) -> dict[str, JsonValue]:
        """Key ``texts``; for codes also ``formats``."""
        content: dict[str, JsonValue] = {"texts": list(self.texts)}
        if self.formats is not None:
            content["formats"] = list(self.formats)
        return self._told(content)

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        return drawing.draw_numbered(picture, self.boxes, self.texts)


class Tags(SkillResult):
    """Words for what a picture shows.

    Attributes:
        tags: most certain first.
        scores: 0 to 1, one each.
    """

    kind: Literal["tags"] = "tags"
    tags: tuple[str, ...]
    scores: tuple[Score, ...]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        _same_length("tags", tags=self.tags, scores=self.scores)
        return self

    def content(self) -> dict[str, JsonValue]:
        """Key ``tags``: one comma-separated string."""
        return self._told({"tags": ", ".join(self.tags)})

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        return drawing.draw_caption(picture, ", ".join(self.tags))


class Caption(SkillResult):
    """One sentence about a picture.

    Attributes:
        caption: the sentence.
    """

    kind: Literal["caption"] = "caption"
    caption: str

    def content(self) -> dict[str, JsonValue]:
        """Key ``caption``."""
        return {"caption": self.caption}

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        return drawing.draw_caption(picture, self.caption)


class KnowledgeEntry(BaseModel):
    """One thing that was found for a picture.

    Attributes:
        caption: the text of the entry.
        similarity: cosine, -1 to 1.
        source: where it comes from, as the user's collection says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    caption: str
    similarity: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
    source: str | None = None


class Knowledge(SkillResult):
    """What a collection of knowledge holds about a picture.

    Attributes:
        entries: most similar first.
    """

    kind: Literal["knowledge"] = "knowledge"
    entries: tuple[KnowledgeEntry, ...]

    def content(self) -> dict[str, JsonValue]:
        """Key ``retrieval_results``: captions and similarities, and sources where entries name them."""
        results: list[JsonValue] = [
            {
                "caption": entry.caption,
                "similarity": round(entry.similarity, 2) + 0.0,
                **({} if entry.source is None else {"source": entry.source}),
            }
            for entry in self.entries
        ]
        return self._told({"retrieval_results": results})

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        told = [
            f"{entry.similarity:.2f}  {entry.caption}" + (f" [{entry.source}]" if entry.source else "")
            for entry in self.entries
        ]
        return drawing.draw_caption(picture, "\n".join(told))


class Pictures(SkillResult):
    """Pictures that a skill made or changed.

    Attributes:
        handles: the new pictures.
        message: what the LMM is told, for example ``"The inpaint_region has processed the image."``.
    """

    kind: Literal["pictures"] = "pictures"
    handles: tuple[str, ...] = Field(min_length=1)
    message: str

    def content(self) -> dict[str, JsonValue]:
        """Key ``message``."""
        return {"message": self.message}

    @property
    def pictures(self) -> tuple[str, ...]:
        """The new pictures."""
        return self.handles

    def draw(self, picture: Image.Image | None = None) -> Image.Image:
        """The new picture itself, or several side by side; a picture that is given is returned as a copy."""
        if picture is not None:
            return picture.copy()
        if self._load is None:
            raise ValueError("this result knows no picture to draw on; pass one to draw(), or use bound_to() first")
        return drawing.side_by_side([self._load(handle) for handle in self.handles])


class SkillFailure(SkillResult):
    """A skill that could not do what it was asked to.

    Attributes:
        skill: its name.
        error: one sentence.
    """

    kind: Literal["failure"] = "failure"
    skill: str
    error: str

    def content(self) -> dict[str, JsonValue]:
        """Key ``error``."""
        return {"error": self.error}

    def _drawn_on(self, picture: Image.Image) -> Image.Image:
        named = self.error.startswith(self.skill)
        return drawing.draw_caption(picture, self.error if named else f"{self.skill}: {self.error}")


_AnyResult = Annotated[
    Detections | Masks | SceneMap | Texts | Tags | Caption | Knowledge | Pictures | SkillFailure,
    Field(discriminator="kind"),
]
_RESULT: TypeAdapter[_AnyResult] = TypeAdapter(_AnyResult)


def parse_result(artifact: Mapping[str, Any]) -> SkillResult:
    """Turns the artifact of a tool message back into the typed result.

    Args:
        artifact: what ``model_dump(mode="json")`` gave.

    Raises:
        ValueError: it is not the plain form of a result.
    """
    try:
        return _RESULT.validate_python(artifact)
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the artifact"
        raise ValueError(f"this is not the plain form of a skill result: {where}: {first['msg']}") from err
