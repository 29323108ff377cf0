"""Carries out ``llavaplus finetune``, and ``llavaplus curate`` for recipes: what is shown, and where the log goes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.data.curate import curate
from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.data.mask_view import drawn
from llavaplus_graph.data.recipe import Recipe, load_recipe
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.evaluate.planning import examine, report
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills
from llavaplus_graph.train import ranks
from llavaplus_graph.train.config import TunedRecipe, read_recipe
from llavaplus_graph.train.finetune import finetune, first_samples
from llavaplus_graph.train.report import Step, Tell, Watch
from llavaplus_graph.train.tune import first_tuned_samples, tune


def run_curate(recipe: Path) -> None:
    """Makes the data of a recipe and says where they are.

    Raises:
        ConfigError: the recipe cannot be used.
        MissingExtraError: the extra `train` is not installed.
    """
    loaded = load_recipe(recipe)
    _log_into(loaded.out)
    curate(loaded)
    print(loaded.data)


def run_finetune(path: Path, *, show: int = 0) -> None:
    """Trains the LMM of a recipe and says where it is, or only shows what would be trained.

    Args:
        path: The recipe.
        show: Print so many samples, with what of them is trained, and train nothing.

    Raises:
        ConfigError: the recipe cannot be used or its data are missing.
        MissingExtraError: the extra `train` is not installed.
        TrainingError: the loss is no number or the disk is full.
    """
    recipe = read_recipe(path)
    if isinstance(recipe, Recipe) and not any(recipe.data.glob("*.jsonl")):
        raise ConfigError(f"there are no data in {recipe.data}; make them with: llavaplus curate {path}")
    if show:
        samples, tokenizer = first_samples(recipe) if isinstance(recipe, Recipe) else first_tuned_samples(recipe)
        for sample in islice(samples, show):
            print(drawn(sample, tokenizer))
        return
    _log_into(recipe.out)
    try:
        with _bar() as tell:
            target = _trained(recipe, Watch(tell, _shares))
    finally:
        ranks.part()
    if ranks.rank() == 0:
        print(target)


def _trained(recipe: Recipe | TunedRecipe, watch: Watch) -> Path:
    return finetune(recipe, watch) if isinstance(recipe, Recipe) else tune(recipe, watch)


def _shares(directory: Path, questions: int) -> Mapping[str, float]:
    """Examines an LMM on planning: shares of right skills, and of right skills with right arguments."""
    store = ImageStore(str(directory / "store"))
    lmm = ChatLlavaPlus(model=str(directory), store=store)
    asked = held_out_questions("development")
    every = max(1, len(asked) // questions)
    results = list(examine(lmm, load_skills(store=store), asked[::every][:questions], store))
    _, _, skill, call = report(results)[0]
    return {"skill": skill, "arguments": call}


@contextmanager
def _bar() -> Iterator[Tell | None]:
    """Shows how far each stage is, where somebody looks."""
    if not sys.stderr.isatty() or ranks.rank() > 0:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bars:
        tasks: dict[str, int] = {}

        def tell(step: Step) -> None:
            task = tasks.setdefault(step.stage, len(tasks))
            if task not in bars.task_ids:
                bars.add_task(step.stage, total=step.steps)
            loss = "" if step.loss is None else f" loss {step.loss:.3f}"
            bars.update(bars.task_ids[task], completed=step.done, description=f"{step.stage}{loss}")

        yield tell


def _log_into(out: Path) -> None:
    """Lets the log of the work go to the screen and into the recipe's folder; of several processes the first talks."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(out / "log.txt", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the folder {str(out)!r} cannot be written to: {error.strerror}; change 'out'.") from error
    log = logging.getLogger("llavaplus_graph")
    log.setLevel(logging.INFO if ranks.rank() == 0 else logging.ERROR)
    for handler in (logging.StreamHandler(), file):
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
