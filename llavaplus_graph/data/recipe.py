"""A recipe: one YAML file that says what data to make and how to train on them. Reads and checks; does neither."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from llavaplus_graph.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of the curriculum; the shares say which part of its records are drills, the rest are conversations.

    Attributes:
        name: Names the files of the stage.
        records: How many records.
        answer_drills: Share of records that only copy a result into an answer.
        plan_drills: Share of records that only copy arguments into a plan.
        sight_drills: Share of records that only ask what kind of picture it is.
        pictured: Share of the conversations that come with pictures.
        learning_rate: Peak of the stage's cosine cycle.
        final_rate: Where the cycle ends, as a share of the peak.
    """

    name: str
    records: int
    answer_drills: float = 0.0
    plan_drills: float = 0.0
    sight_drills: float = 0.0
    pictured: float = 0.0
    learning_rate: float = 1e-3
    final_rate: float = 0.1

    @property
    def needs_pictures(self) -> bool:
        """Whether any record of the stage shows a picture."""
        return self.sight_drills > 0 or self.pictured > 0


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a new LMM: a CLIP vision tower and a Llama decoder, widths in units, the picture in pixels."""

    vocabulary: int = 4_000
    width: int = 256
    layers: int = 6
    heads: int = 4
    feed_forward: int = 704
    picture: int = 192
    patch: int = 32
    vision_width: int = 192
    vision_layers: int = 4
    vision_heads: int = 4
    vision_feed_forward: int = 512
    word_vectors: str | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """How to train: positions a step, warm-up share, weight decay, clipping, steps between saves and log lines."""

    tokens_per_step: int = 4_800
    warmup: float = 0.03
    weight_decay: float = 0.05
    clip: float = 1.0
    save_steps: int = 500
    log_steps: int = 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that `llavaplus curate` and `llavaplus finetune` need to know.

    Attributes:
        out: Folder of data, checkpoints and log.
        seed: Seeds every draw.
        pictures: Rendered pictures a kind.
        stages: The curriculum in order.
        shape: Size of the LMM that is made.
        tuning: How it is trained.
    """

    out: Path
    seed: int = 7
    pictures: int = 1_000
    stages: tuple[Stage, ...] = ()
    shape: Shape = field(default_factory=Shape)
    tuning: Tuning = field(default_factory=Tuning)

    @property
    def data(self) -> Path:
        """The folder of pictures and records."""
        return self.out / "data"


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: If the file is missing, is not YAML, or has an unknown key or a value of the wrong type; names it.
    """
    try:
        body = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"The recipe {str(path)!r} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"The recipe {str(path)!r} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(body, dict) or "out" not in body:
        raise ConfigError(f"The recipe {str(path)!r} needs at least the key 'out', the folder to write to.")
    body = dict(body)
    body["out"] = Path(body["out"])
    body["stages"] = tuple(_build(Stage, stage, path) for stage in body.get("stages") or ())
    body["shape"] = _build(Shape, body.get("shape") or {}, path)
    body["tuning"] = _build(Tuning, body.get("tuning") or {}, path)
    recipe: Recipe = _build(Recipe, body, path)
    return recipe


def _build(kind: type[Any], values: dict[str, Any], path: Path) -> Any:
    known = {f.name: f for f in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{path}: unknown key {key!r} in {kind.__name__.lower()}; known are {', '.join(known)}.")
        wanted = known[key].type
        if wanted in (int, float) and not (isinstance(value, (int, float)) and not isinstance(value, bool)):
            raise ConfigError(f"{path}: {key!r} must be a number, not {value!r}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{path}: {kind.__name__.lower()} is incomplete: {error}.") from error
