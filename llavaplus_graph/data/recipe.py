"""A recipe: one YAML file that says what data to make and how to train on them. Reads and checks; does neither."""

import math
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from llavaplus_graph.errors import ConfigError

_NAME = re.compile(r"[\w-]+")
_SHARES = ("answer_drills", "plan_drills", "sight_drills", "pictured", "final_rate", "warmup")


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
        ConfigError: If the file is missing, is not YAML, or has an unknown key or a value that cannot be; names it.
    """
    try:
        body = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"The recipe {str(path)!r} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The recipe {str(path)!r} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(body, dict) or not isinstance(body.get("out"), str):
        raise ConfigError(f"The recipe {str(path)!r} needs at least the key 'out', the folder to write to.")
    stages = body.get("stages")
    if not isinstance(stages, list) or not stages:
        raise ConfigError(f"{path}: 'stages' must be a list of at least one stage, not {stages!r}.")
    recipe: Recipe = _build(
        Recipe,
        {
            **body,
            "out": Path(body["out"]),
            "stages": tuple(_build(Stage, stage, path) for stage in stages),
            "shape": _build(Shape, body.get("shape") or {}, path),
            "tuning": _build(Tuning, body.get("tuning") or {}, path),
        },
        path,
    )
    _check_together(recipe, path)
    return recipe


def _build(kind: type[Any], values: Any, path: Path) -> Any:
    name = kind.__name__.lower()
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a {name} must be given by keys and values, not as {values!r}.")
    known = {f.name: f for f in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{path}: unknown key {key!r} in {name}; known are {', '.join(known)}.")
        wanted = _wanted(key, known[key].type, value)
        if wanted:
            raise ConfigError(f"{path}: {key!r} in {name} must be {wanted}, not {value!r}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{path}: {name} is incomplete: {error}.") from error


def _wanted(key: str, kind: Any, value: Any) -> str:
    """Say what a value would have to be; empty when it is that."""
    if kind is str and not (isinstance(value, str) and _NAME.fullmatch(value)):
        return "a name of letters, digits, - and _"
    if kind == str | None and not isinstance(value, str | None):
        return "a name"
    if kind not in (int, float):
        return ""
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        return "a whole number" if kind is int else "a number (with a point: 1.0e-3)"
    least, most = (0, 1) if key in _SHARES else (0 if kind is float or key == "seed" else 1, math.inf)
    if least <= value <= most:
        return ""
    return f"at least {least}" if most == math.inf else f"from {least} to {most}"


def _check_together(recipe: Recipe, path: Path) -> None:
    """Refuse values that are fine one by one and cannot be together."""
    names = [stage.name for stage in recipe.stages]
    shape = recipe.shape
    problems = {
        "two stages have the same 'name'; their files would be the same": len(set(names)) < len(names),
        "the drills of a stage are more than all of its records; lower 'answer_drills'": any(
            stage.answer_drills + stage.plan_drills + stage.sight_drills > 1 + 1e-9 for stage in recipe.stages
        ),
        "'picture' must be a multiple of 'patch'": shape.picture % shape.patch > 0,
        "'width' must be an even multiple of 'heads'": shape.width % (2 * shape.heads) > 0,
        "'vision_width' must be a multiple of 'vision_heads'": shape.vision_width % shape.vision_heads > 0,
    }
    for problem, found in problems.items():
        if found:
            raise ConfigError(f"{path}: {problem}.")
