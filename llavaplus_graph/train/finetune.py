"""Fine-tuning by a recipe on `transformers.Trainer`: the curriculum in order, batches by tokens, resumable.

Knows tokens, batches and the loss; what the conversations say is settled by curation.
"""

import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_model, save_model
from torch.utils.data import DataLoader
from transformers import LlavaProcessor, PreTrainedTokenizerFast, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.data.collate import IGNORED, Collator, Sample, tokenize
from llavaplus_graph.data.curate import stage_records
from llavaplus_graph.data.recipe import Recipe, Stage
from llavaplus_graph.protocol import Template
from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.train.build import build_model, build_processor, export, image_tokens
from llavaplus_graph.train.vocabulary import train_tokenizer

_log = logging.getLogger(__name__)
_WINDOW = 3_000  # samples within which batches of similar length are formed
_LEARNED_FROM = 60_000  # records that the tokenizer is learned from


def finetune(recipe: Recipe) -> Path:
    """Train the LMM of a recipe and export it; an interrupted run goes on from its last checkpoint.

    Args:
        recipe: A recipe whose data have been curated.

    Returns:
        The exported directory, ready for `ChatLlavaPlus(model=...)`.
    """
    started = time.monotonic()
    dialect = Dialect(
        template="v1", system="", names="skills", skills=tuple(info.name for info in CATALOGUE), grounded=True
    )
    tokenizer = _tokenizer(recipe, dialect.conversation)
    processor = build_processor(recipe.shape, tokenizer)
    pixels = Pixels(recipe.data, processor)
    model = build_model(recipe.shape, tokenizer, recipe.seed)
    model.set_attn_implementation("eager")  # on a CPU and at these lengths a third faster than the fused kernel
    _log.info("%.2f million parameters", sum(p.numel() for p in model.parameters()) / 1e6)
    for stage in recipe.stages:
        _train_stage(recipe, stage, model, tokenizer, dialect.conversation, pixels)
    target = recipe.out / "export"
    export(model, processor, target)
    dialect.save(target)
    _log.info("exported to %s after %.0f minutes", target, (time.monotonic() - started) / 60)
    return target


def _train_stage(
    recipe: Recipe, stage: Stage, model: Any, tokenizer: Any, template: Template, pixels: "Pixels"
) -> None:
    """Train one stage in place; a stage that is done is only loaded, one that was interrupted goes on."""
    finished = recipe.out / "checkpoints" / stage.name / "model.safetensors"
    if finished.exists():
        load_model(model, finished)
        _log.info("stage %s: done before", stage.name)
        return
    seats = image_tokens(recipe.shape)
    samples = [tokenize(record, tokenizer, template, seats) for record in stage_records(recipe, stage)]
    fit(recipe, stage, model, samples, Collator(pixels, int(tokenizer.pad_token_id)))
    partial = finished.with_suffix(".partial")
    save_model(model, str(partial))
    partial.replace(finished)


def fit(recipe: Recipe, stage: Stage, model: Any, samples: Sequence[Sample], collator: Collator) -> None:
    """Train a model in place on the samples of one stage; goes on from the last checkpoint of the stage.

    Args:
        recipe: How to train, and where the checkpoints go.
        stage: The stage's name and learning rates.
        model: A `LlavaForConditionalGeneration`.
        samples: Tokenized records.
        collator: Makes batches of them.
    """
    folder = recipe.out / "checkpoints" / stage.name
    batches = plan_batches(samples, recipe.tuning.tokens_per_step, recipe.seed)
    _log.info(
        "stage %s: %d samples, %d tokens, %d steps",
        stage.name,
        len(samples),
        sum(len(s.ids) for s in samples),
        len(batches),
    )
    trainer = CurriculumTrainer(
        model=model,
        args=_arguments(recipe, stage, folder, len(batches)),
        train_dataset=samples,
        data_collator=collator,
        callbacks=[_LogLoss(stage.name)],
    )
    trainer.batches = batches
    trainer.remove_callback(PrinterCallback)  # what it prints is logged, and stdout belongs to the caller
    trainer.train(resume_from_checkpoint=_last_whole_checkpoint(folder))


def _last_whole_checkpoint(folder: Path) -> str | None:
    """Give the newest checkpoint with a state: the Trainer writes it last, so a save that was cut off has none."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


class CurriculumTrainer(Trainer):
    """A Trainer that takes its batches as planned and computes logits only where labels are."""

    batches: Sequence[Sequence[int]]

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Give the batches in the planned order."""
        return DataLoader(self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator)  # type: ignore[arg-type]  # a list of samples is a map-style dataset

    def compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean cross-entropy over the trained positions."""
        del num_items_in_batch
        labels = inputs["labels"][:, 1:]
        trained = labels != IGNORED
        # accelerate casts only inside model.forward, which is not what is called here
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=self.args.bf16):
            hidden = model.model(
                input_ids=inputs["input_ids"], pixel_values=inputs.get("pixel_values"), use_cache=False
            ).last_hidden_state
            logits = model.lm_head(hidden[:, :-1][trained])
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[trained])
        return (loss, {"logits": logits}) if return_outputs else loss


class Pixels(Mapping[str, torch.Tensor]):
    """Pictures as the vision tower takes them; decoded and resized once, kept as bytes."""

    def __init__(self, root: Path, processor: LlavaProcessor) -> None:
        self._root = root
        self._images = processor.image_processor
        self._kept: dict[str, torch.Tensor] = {}
        self._mean = torch.tensor(self._images.image_mean).view(3, 1, 1)
        self._std = torch.tensor(self._images.image_std).view(3, 1, 1)

    def __getitem__(self, file: str) -> torch.Tensor:
        """Give one picture, float32 of shape (3, height, width), normalised as the processor does."""
        if file not in self._kept:
            with Image.open(self._root / file) as picture:
                plain = self._images(picture.convert("RGB"), do_rescale=False, do_normalize=False, return_tensors="pt")
            self._kept[file] = plain["pixel_values"][0].round().clamp(0, 255).to(torch.uint8)
        return (self._kept[file].float() / 255 - self._mean) / self._std

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


def plan_batches(samples: Sequence[Sample], tokens: int, seed: int) -> list[list[int]]:
    """Group samples of similar length so that a padded batch holds at most `tokens` positions; gives their indices.

    Args:
        samples: The samples of a stage.
        tokens: Positions a batch, padding included; a longer sample makes a batch of its own.
        seed: Seeds the order.
    """
    rng = random.Random(seed)
    order = list(range(len(samples)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), _WINDOW):
        window = sorted(order[start : start + _WINDOW], key=lambda index: len(samples[index].ids))
        batches += _group([(index, len(samples[index].ids)) for index in window], tokens)
    rng.shuffle(batches)
    return batches


def _group(sized: Sequence[tuple[int, int]], tokens: int) -> list[list[int]]:
    grouped: list[list[int]] = [[]]
    for index, length in sized:
        if grouped[-1] and (len(grouped[-1]) + 1) * length > tokens:
            grouped.append([])
        grouped[-1].append(index)
    return grouped


class _LogLoss(TrainerCallback):
    def __init__(self, stage: str) -> None:
        self._stage = stage

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        del args, control
        if logs and "loss" in logs:
            _log.info(
                "%s: step %d/%d loss %.4f rate %.2e",
                self._stage,
                state.global_step,
                state.max_steps,
                float(logs["loss"]),
                float(logs["learning_rate"]),
            )


def _arguments(recipe: Recipe, stage: Stage, folder: Path, steps: int) -> TrainingArguments:
    tuning = recipe.tuning
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": stage.final_rate},
        warmup_steps=int(tuning.warmup * steps),
        weight_decay=tuning.weight_decay,
        max_grad_norm=tuning.clip,
        adam_beta2=0.98,
        optim="adamw_torch_fused",
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        save_steps=tuning.save_steps,
        save_total_limit=2,
        logging_steps=tuning.log_steps,
        report_to=[],
        seed=recipe.seed,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
    )


def _tokenizer(recipe: Recipe, template: Template) -> PreTrainedTokenizerFast:
    """Load the tokenizer of an interrupted run or learn it from the records of the first stage."""
    folder = recipe.out / "tokenizer"
    if (folder / "tokenizer.json").exists():
        loaded: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
        return loaded
    records = islice(stage_records(recipe, recipe.stages[0]), _LEARNED_FROM)
    texts = (template.render(record.turns()) for record in records)
    tokenizer = train_tokenizer(texts, [info.name for info in CATALOGUE], recipe.shape.vocabulary)
    tokenizer.save_pretrained(folder)
    return tokenizer
