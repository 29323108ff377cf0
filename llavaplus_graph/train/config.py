"""A recipe that goes on from an LMM that exists: its data, its stages and which parts of it each one trains.

Reads and checks YAML; opens no model. Recipes for an LMM from nothing are in `data.recipe`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from llavaplus_graph.data.fields import build, free, within
from llavaplus_graph.data.located import Document, read_yaml, shown
from llavaplus_graph.data.recipe import LARGEST_SEED, Recipe, recipe_of
from llavaplus_graph.errors import ConfigError

Part = Literal["projector", "language", "vision"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True)
class Source:
    """Records and where their pictures are.

    Attributes:
        records: A file in any form that `read_released` takes.
        images: Folders in which the pictures are looked for, in this order.
        most: Read at most so many records; 0 for all.
    """

    records: Path
    images: tuple[Path, ...] = ()
    most: int = within(0, 0)


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters in place of the language model's own weights (arXiv 2106.09685).

    Attributes:
        rank: Of the two matrices.
        alpha: Their product counts alpha / rank.
        dropout: Share of what goes in that is dropped in training.
        targets: Which linear layers of the language model get one.
    """

    rank: int = 128
    alpha: int = 256
    dropout: float = within(0.05, 0, 1)
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class TunedStage:
    """A stretch of training.

    Attributes:
        name: Names the files of the stage.
        trains: The parts whose weights change; with `lora` the language model gets adapters instead.
        data: What it is trained on, mixed.
        form: `conversation`, or `caption` for picture and answer without roles, on which a projector is aligned.
        lora: Adapters, or None.
        learning_rate: Peak of the stage's cosine cycle.
        final_rate: Where the cycle ends, as a share of the peak.
        epochs: How often every record is seen.
        batch: Records that one device computes at a time.
        accumulate: So many of these make a step.
    """

    name: str
    trains: tuple[Part, ...] = ("projector", "language")
    data: tuple[Source, ...] = ()
    form: Literal["conversation", "caption"] = "conversation"
    lora: Lora | None = None
    learning_rate: float = 2e-5
    final_rate: float = within(0.0, 0, 1)
    epochs: int = 1
    batch: int = 16
    accumulate: int = 1


@dataclass(frozen=True, slots=True)
class TunedTuning:
    """How all stages are trained; what is not explained here is explained at `data.recipe.Tuning`.

    Attributes:
        precision: What is computed in; trained weights are float32 in any case.
        quantization: Load the language model in so few bits; only for adapters (QLoRA), and on an NVIDIA GPU.
        recompute: Keep fewer activations and compute them again: slower, and much less memory.
        longest: Positions of the longest conversation; what is longer is cut off behind.
        workers: Processes that load pictures ahead.
    """

    warmup: float = within(0.03, 0, 1)
    weight_decay: float = 0.0
    clip: float = 1.0
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    quantization: Literal["4bit", "8bit"] | None = None
    recompute: bool = False
    longest: int = 2_048
    workers: int = within(0, 0)
    save_steps: int = 500
    log_steps: int = 10
    exam_steps: int = within(0, 0)
    exam_questions: int = 60
    tensorboard: bool = False


@dataclass(frozen=True, slots=True)
class Speech:
    """What the tuned LMM speaks where it is not what its base speaks; see `chat_model.dialect.Dialect`."""

    template: Literal["v0", "v1"] | None = None
    names: Literal["skills", "wire"] | None = None
    system: str | None = free()


@dataclass(frozen=True, slots=True)
class TunedRecipe:
    """Everything that `llavaplus finetune` needs to go on from a checkpoint.

    Attributes:
        out: Folder of checkpoints, log and export.
        base: Directory of a LLaVA checkpoint, or the hub id of one in the local cache; `mini` is the bundled LMM.
        stages: The curriculum in order.
        seed: Seeds every draw.
        speech: What it speaks in the end.
        tuning: How it is trained.
    """

    out: Path
    base: str = free()
    stages: tuple[TunedStage, ...] = ()
    seed: int = within(7, 0, LARGEST_SEED)
    speech: Speech = field(default_factory=Speech)
    tuning: TunedTuning = field(default_factory=TunedTuning)


def tuned_recipe_of(document: Document) -> TunedRecipe:
    """Make the recipe that a file with the key `base` holds.

    Raises:
        ConfigError: If a key is unknown or a value cannot be; names file, line and key.
    """
    stages = document.at(("stages",))
    if not isinstance(stages, list) or not stages:
        place = document.where(("stages",))
        raise ConfigError(f"{place}: 'stages' must be a list of at least one stage, not {shown(stages)}.")
    common = _sources(document, ("data",))
    given: dict[str, Any] = {
        "stages": tuple(_stage(document, ("stages", index), common) for index in range(len(stages))),
        "speech": build(Speech, document, ("speech",)) if document.at(("speech",)) is not None else Speech(),
        "tuning": build(TunedTuning, document, ("tuning",), called="tuning")
        if document.at(("tuning",)) is not None
        else TunedTuning(),
    }
    recipe: TunedRecipe = build(TunedRecipe, document.without("data"), given=given, called="recipe")
    _check_together(recipe, document)
    return recipe


def _stage(document: Document, place: tuple[str | int, ...], common: tuple[Source, ...]) -> TunedStage:
    given: dict[str, Any] = {"data": _sources(document, (*place, "data")) or common}
    if document.at((*place, "trains")) is not None:
        given["trains"] = _parts(document, (*place, "trains"))
    if document.at((*place, "lora")) is not None:
        lora = (*place, "lora")
        targets = document.at((*lora, "targets"))
        if targets is not None:
            _list_of(document, (*lora, "targets"), targets, str)
        given["lora"] = build(Lora, document, lora, given={} if targets is None else {"targets": tuple(targets)})
    stage: TunedStage = build(TunedStage, document, place, given, called="stage")
    if not stage.data:
        raise ConfigError(f"{document.where(place)}: stage {stage.name!r} has no 'data', and the recipe has none.")
    return stage


def _parts(document: Document, place: tuple[str | int, ...]) -> tuple[Part, ...]:
    said = document.at(place)
    parts = said if isinstance(said, list) else PARTS if said == "all" else (said,)
    wrong = [part for part in parts if part not in PARTS]
    if wrong or not parts:
        raise ConfigError(
            f"{document.where(place)}: 'trains' names {shown(wrong[0]) if wrong else 'nothing'}; "
            f"it must be all, or some of {', '.join(PARTS)}."
        )
    return tuple(dict.fromkeys(parts))


def _sources(document: Document, place: tuple[str | int, ...]) -> tuple[Source, ...]:
    said = document.at(place)
    if said is None:
        return ()
    _list_of(document, place, said, dict)
    sources = []
    for index in range(len(said)):
        here = (*place, index)
        images = document.at((*here, "images"))
        folders = [images] if isinstance(images, str) else images or []
        _list_of(document, (*here, "images"), folders, str)
        paths = tuple(Path(folder).expanduser() for folder in folders)
        sources.append(build(Source, document, here, given={"images": paths}))
    return tuple(sources)


def _list_of(document: Document, place: tuple[str | int, ...], said: Any, kind: type) -> None:
    if not isinstance(said, list) or not all(isinstance(each, kind) for each in said):
        wanted = "texts" if kind is str else "entries with 'records' and 'images'"
        raise ConfigError(f"{document.where(place)}: {place[-1]!r} must be a list of {wanted}, not {shown(said)}.")


def _check_together(recipe: TunedRecipe, document: Document) -> None:
    """Refuse values that are fine one by one and cannot be together."""
    names = [stage.name for stage in recipe.stages]
    adapted = [stage.lora is not None for stage in recipe.stages]
    problems = {
        "two stages have the same 'name'; their files would be the same": len(set(names)) < len(names),
        "'quantization' is for adapters: every stage that trains 'language' needs 'lora'": bool(
            recipe.tuning.quantization
        )
        and any("language" in stage.trains and not lora for stage, lora in zip(recipe.stages, adapted, strict=True)),
        "with 'quantization' only one stage can have 'lora', and it must be the last": bool(recipe.tuning.quantization)
        and any(adapted[:-1]),
        "'lora' is for stages that train 'language'": any(
            lora and "language" not in stage.trains for stage, lora in zip(recipe.stages, adapted, strict=True)
        ),
    }
    for problem, found in problems.items():
        if found:
            raise ConfigError(f"{document.path}: {problem}.")


def read_recipe(path: Path) -> Recipe | TunedRecipe:
    """Read a recipe of either kind: with the key `base` it goes on from an LMM, without it makes one from nothing.

    Raises:
        ConfigError: If the file cannot be read, a key is unknown or a value cannot be; names file, line and key.
    """
    document = read_yaml(path)
    with_base = isinstance(document.body, dict) and "base" in document.body
    return tuned_recipe_of(document) if with_base else recipe_of(document)
