"""What the Trainer is told for one stage, whichever kind of recipe it comes from. Knows numbers, no data, no model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from llavaplus_graph.data.recipe import Recipe, Stage, Tuning
from llavaplus_graph.errors import MissingExtraError
from llavaplus_graph.train import ranks
from llavaplus_graph.train.config import TunedRecipe, TunedStage, TunedTuning


@dataclass(frozen=True, slots=True)
class Settings:
    """How a stage is trained.

    Attributes:
        name: The stage.
        seed: Seeds the order of the samples and what is dropped out.
        learning_rate: Peak of the cosine cycle.
        final_rate: Where the cycle ends, as a share of the peak.
        warmup: Share of the steps in which the rate rises.
        weight_decay: Of AdamW, on matrices only.
        clip: Largest norm of the gradients.
        beta2: Of AdamW.
        positions: Most positions of a batch, padding included; 0 to count samples instead.
        samples: Samples of a batch, where positions are not counted.
        accumulate: Batches of one step on one process.
        epochs: How often every sample is seen.
        bf16: Compute in bfloat16 where it is safe; the trained weights stay what they are.
        recompute: Keep fewer activations and compute them again (gradient checkpointing).
        save_steps: Steps between checkpoints.
        log_steps: Steps between log lines.
        workers: Processes that load pictures ahead; 0 loads them in between.
        tensorboard: Write what is logged for TensorBoard, too.
    """

    name: str
    seed: int
    learning_rate: float
    final_rate: float = 0.0
    warmup: float = 0.03
    weight_decay: float = 0.0
    clip: float = 1.0
    beta2: float = 0.999
    positions: int = 0
    samples: int = 16
    accumulate: int = 1
    epochs: int = 1
    bf16: bool = True
    recompute: bool = False
    save_steps: int = 500
    log_steps: int = 20
    workers: int = 0
    tensorboard: bool = False

    def deciding(self) -> dict[str, Any]:
        """Give what decides on the weights that come out; the rest only decides on comfort."""
        comfort = ("save_steps", "log_steps", "workers", "tensorboard")
        return {key: value for key, value in asdict(self).items() if key not in comfort}


def settings_of(recipe: Recipe, stage: Stage) -> Settings:
    """Give the settings of a stage that is trained from nothing."""
    return Settings(**_alike(recipe, stage, recipe.tuning), beta2=0.98, positions=recipe.tuning.tokens_per_step)


def tuned_settings_of(recipe: TunedRecipe, stage: TunedStage) -> Settings:
    """Give the settings of a stage that goes on from a base."""
    tuning = recipe.tuning
    return Settings(
        **_alike(recipe, stage, tuning),
        samples=stage.batch,
        accumulate=stage.accumulate,
        epochs=stage.epochs,
        bf16=tuning.precision == "bfloat16",
        recompute=tuning.recompute,
        workers=tuning.workers,
    )


def _alike(recipe: Recipe | TunedRecipe, stage: Stage | TunedStage, tuning: Tuning | TunedTuning) -> dict[str, Any]:
    """Give what both kinds of recipe call alike."""
    return {
        "name": stage.name,
        "seed": recipe.seed,
        "learning_rate": stage.learning_rate,
        "final_rate": stage.final_rate,
        "warmup": tuning.warmup,
        "weight_decay": tuning.weight_decay,
        "clip": tuning.clip,
        "save_steps": tuning.save_steps,
        "log_steps": tuning.log_steps,
        "tensorboard": tuning.tensorboard,
    }


def arguments(settings: Settings, folder: Path, steps: int) -> TrainingArguments:
    """Give the settings in the words of transformers.

    Args:
        settings: Of the stage.
        folder: Where its checkpoints go.
        steps: How many steps there are.

    Raises:
        MissingExtraError: If TensorBoard is asked for and not installed.
    """
    if settings.tensorboard and find_spec("tensorboard") is None:
        raise MissingExtraError("tensorboard: true", extra="tensorboard")
    known = {each.name for each in fields(TrainingArguments)}
    # Older releases know it by the older name.
    recompute = "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    more: dict[str, Any] = {}
    if settings.recompute:
        more = {recompute: True, f"{recompute}_kwargs": {"use_reentrant": False}}
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": settings.final_rate},
        warmup_steps=int(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        adam_beta2=settings.beta2,
        optim="adamw_torch_fused",
        gradient_accumulation_steps=settings.accumulate,
        bf16=settings.bf16,
        use_cpu=not torch.cuda.is_available(),
        save_steps=settings.save_steps,
        save_total_limit=2,
        logging_steps=settings.log_steps,
        report_to=["tensorboard"] if settings.tensorboard else [],
        seed=settings.seed,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=settings.workers,
        # A stage that trains all of a vision tower trains layers that nothing asks for.
        ddp_find_unused_parameters=ranks.count() > 1,
        **more,
    )
