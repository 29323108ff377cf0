"""A recipe: one YAML file that says what data to make and how to train on them. Reads and checks; does neither."""

from dataclasses import dataclass, field
from pathlib import Path

from llavaplus_graph.data.fields import build, within
from llavaplus_graph.data.located import Document, read_yaml, shown
from llavaplus_graph.errors import ConfigError

LARGEST_SEED = 2**32 - 1
"""What every generator of random numbers takes."""


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
    answer_drills: float = within(0.0, 0, 1)
    plan_drills: float = within(0.0, 0, 1)
    sight_drills: float = within(0.0, 0, 1)
    pictured: float = within(0.0, 0, 1)
    learning_rate: float = 1e-3
    final_rate: float = within(0.1, 0, 1)

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
class Eye:
    """How the vision tower is trained alone, before any stage: rounds over the pictures, peak rate, pictures a step."""

    epochs: int = 5
    learning_rate: float = 1e-3
    batch: int = 64


@dataclass(frozen=True, slots=True)
class Tuning:
    """How to train.

    Attributes:
        tokens_per_step: Positions of a batch, padding included.
        warmup: Share of a stage's steps in which the rate rises.
        weight_decay: Of AdamW.
        clip: Largest norm of the gradients.
        save_steps: Steps between checkpoints.
        log_steps: Steps between log lines.
        exam_steps: Steps between examinations on held-out instructions; 0 for none.
        exam_questions: How many questions each asks.
        tensorboard: Write what is logged for TensorBoard, too.
    """

    tokens_per_step: int = 4_800
    warmup: float = within(0.03, 0, 1)
    weight_decay: float = 0.05
    clip: float = 1.0
    save_steps: int = 500
    log_steps: int = 20
    exam_steps: int = within(0, 0)
    exam_questions: int = 60
    tensorboard: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that `llavaplus curate` and `llavaplus finetune` need to know.

    Attributes:
        out: Folder of data, checkpoints and log.
        seed: Seeds every draw.
        pictures: Rendered pictures a kind.
        stages: The curriculum in order.
        shape: Size of the LMM that is made.
        eye: How its vision tower is trained first; None leaves that to the stages.
        tuning: How it is trained.
    """

    out: Path
    seed: int = within(7, 0, LARGEST_SEED)
    pictures: int = 1_000
    stages: tuple[Stage, ...] = ()
    shape: Shape = field(default_factory=Shape)
    eye: Eye | None = None
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
    return recipe_of(read_yaml(path))


def recipe_of(document: Document) -> Recipe:
    """Make the recipe that a file holds.

    Raises:
        ConfigError: If a key is unknown or a value cannot be; names file, line and key.
    """
    body, path = document.body, document.path
    if not isinstance(body, dict) or "out" not in body:
        raise ConfigError(f"The recipe {str(path)!r} needs at least the key 'out', the folder to write to.")
    stages = body.get("stages")
    if not isinstance(stages, list) or not stages:
        place = document.where(("stages",))
        raise ConfigError(f"{place}: 'stages' must be a list of at least one stage, not {shown(stages)}.")
    recipe: Recipe = build(
        Recipe,
        document,
        given={
            "stages": tuple(build(Stage, document, ("stages", index)) for index in range(len(stages))),
            "shape": build(Shape, document, ("shape",)) if body.get("shape") is not None else Shape(),
            "eye": build(Eye, document, ("eye",)) if body.get("eye") is not None else None,
            "tuning": build(Tuning, document, ("tuning",)) if body.get("tuning") is not None else Tuning(),
        },
    )
    _check_together(recipe, path)
    return recipe


def _check_together(recipe: Recipe, path: Path) -> None:
    """Refuse values that are fine one by one and cannot be together."""
    names = [stage.name for stage in recipe.stages]
    shape = recipe.shape
    problems = {
        "two stages have the same 'name'; their files would be the same": len(set(names)) < len(names),
        "a stage cannot be called 'eye', which is the name of the eye's own checkpoint": "eye" in names,
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
