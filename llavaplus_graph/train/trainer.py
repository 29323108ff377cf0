"""A `transformers.Trainer` for conversations: planned batches, loss where labels are, states that hold no code.

It stops at the first loss or gradient that is no number, before the weights take harm. Knows tensors, no recipe.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import Trainer

from llavaplus_graph.data.collate import IGNORED, Sample
from llavaplus_graph.errors import TrainingError
from llavaplus_graph.train import state

_log = logging.getLogger(__name__)


class CurriculumTrainer(Trainer):
    """A Trainer that takes its batches as planned and computes logits only where labels are.

    Attributes:
        batches: The batches of this process, as indices of samples.
    """

    batches: Sequence[Sequence[int]]
    # Under accumulation a loss is a share of the whole step's, not a mean of its own.
    loss_is_scaled_for_ga = True
    _taken = 0

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Give the batches in the planned order."""
        workers = self.args.dataloader_num_workers
        return DataLoader(
            self.train_dataset,  # type: ignore[arg-type]  # a list of samples is a map-style dataset
            batch_sampler=self.batches,  # type: ignore[arg-type]
            collate_fn=self.data_collator,
            num_workers=workers,
            pin_memory=workers > 0 and torch.cuda.is_available(),
            multiprocessing_context="spawn" if workers else None,
        )

    def compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Cross-entropy over the trained positions: their mean, or, in a step of several batches, the batch's share."""
        labels = inputs["labels"][:, 1:]
        trained = labels != IGNORED
        if self._wrapped:
            logits = self._logits_of_wrapped(model, inputs, trained)
        else:
            # accelerate casts only inside model.forward, which is not what is called here
            with torch.autocast(labels.device.type, torch.bfloat16, enabled=self.args.bf16):
                hidden = model.model(
                    input_ids=inputs["input_ids"], pixel_values=inputs.get("pixel_values"), use_cache=False
                ).last_hidden_state
                logits = model.lm_head(hidden[:, :-1][trained])
        shared = num_items_in_batch is not None and self._shares_steps
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[trained], reduction="sum" if shared else "mean")
        if shared:  # gradients of several processes are averaged, hence the factor
            loss = loss / num_items_in_batch * self.args.world_size
        return (loss, {"logits": logits}) if return_outputs else loss

    @property
    def _shares_steps(self) -> bool:
        return self.args.gradient_accumulation_steps > 1 or self.args.world_size > 1

    @property
    def _wrapped(self) -> bool:
        return self.args.world_size > 1 or self.is_fsdp_enabled

    @staticmethod
    def _logits_of_wrapped(model: Any, inputs: Mapping[str, Any], trained: torch.Tensor) -> torch.Tensor:
        """Go through the wrapper's forward, which gathers weights and gradients; only for columns with a label."""
        columns = trained.any(0).nonzero().flatten()
        logits: torch.Tensor = model(
            input_ids=inputs["input_ids"],
            pixel_values=inputs.get("pixel_values"),
            use_cache=False,
            logits_to_keep=columns,
        ).logits
        return logits[trained[:, columns]]

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Compute a batch's gradients.

        Raises:
            TrainingError: If its loss is not a number; the weights are as they were before this step.
        """
        batch = self.batches[self.state.global_step * self.args.gradient_accumulation_steps + self._taken]
        self._taken = (self._taken + 1) % self.current_gradient_accumulation_steps
        loss = super().training_step(model, inputs, num_items_in_batch)
        if not bool(torch.isfinite(loss)):
            raise self._stopped("the loss", float(loss), batch)
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """Check the gradients before the weights follow them."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if not math.isfinite(float(norm)):
            each = self.args.gradient_accumulation_steps
            start = self.state.global_step * each
            batch = [index for batch in self.batches[start : start + each] for index in batch]
            raise self._stopped("the gradient", float(norm), batch)
        return norm

    def _stopped(self, what: str, value: float, batch: Sequence[int]) -> TrainingError:
        """Save the state before the bad step and say what happened at which samples."""
        step = self.state.global_step
        guilty = [index for index in batch if not self._computes(index)] or list(batch)
        names = [self._sample(index).name or f"sample {index}" for index in guilty]
        named = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        kept = Path(str(self.args.output_dir)) / f"checkpoint-{step}"
        if not state.complete(kept) and step and self.args.world_size == 1:
            self._save_checkpoint(self._trainee, None)
        where = f"the state before it is kept in {str(kept)!r}" if state.complete(kept) else "nothing was changed by it"
        return TrainingError(
            f"In step {step + 1} {what} is {value}, at {named}; {where}. "
            "Lower the learning_rate, or take out the record."
        )

    @property
    def _trainee(self) -> Any:
        """The model, sharded where processes share it."""
        return self.model

    def _sample(self, index: int) -> Sample:
        sample: Sample = self.train_dataset[index]  # type: ignore[index]
        return sample

    def _computes(self, index: int) -> bool:
        """Say whether a sample alone has a loss that is a number."""
        if self._wrapped:
            return True  # the other processes would have to take part
        collate: Any = self.data_collator
        inputs: Any = self._prepare_inputs(collate([self._sample(index)]))
        with torch.no_grad():
            return bool(torch.isfinite(self.compute_loss(self.model, inputs)))

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the trained parameters, and nothing else, as safetensors."""
        path = Path(output_dir or str(self.args.output_dir)) / state.WEIGHTS
        state.write_weights(self._trainee, path, here=self.args.should_save)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        state.read_weights(self._trainee if model is None else model, Path(resume_from_checkpoint) / state.WEIGHTS)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        optimizer: Any = self.optimizer
        state.write_optimizer(optimizer, self.lr_scheduler, self._trainee, Path(output_dir), here=self.args.should_save)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            optimizer: Any = self.optimizer
            state.read_optimizer(optimizer, self.lr_scheduler, self._trainee, Path(checkpoint))

    def _save_rng_state(self, output_dir: str) -> None:
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        self._random_file(output_dir).write_text(json.dumps(state.random_state()), "utf-8")

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None and self._random_file(checkpoint).exists():
            state.set_random_state(json.loads(self._random_file(checkpoint).read_text("utf-8")))

    def _random_file(self, folder: str) -> Path:
        return Path(folder) / f"random-{self.args.process_index}.json"
