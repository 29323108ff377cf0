"""What a training tells while it runs and when a stage is over: loss, speed, memory. Knows no model."""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from llavaplus_graph.data.collate import Sample
from llavaplus_graph.train.state import random_state, set_random_state

_log = logging.getLogger(__name__)
HISTORY = "history.json"


@dataclass(frozen=True, slots=True)
class Step:
    """Where a training is: stage, steps done and in all, the last loss that was logged (None before the first)."""

    stage: str
    done: int
    steps: int
    loss: float | None = None


Tell = Callable[[Step], None]
"""Is told every step."""


@dataclass(frozen=True, slots=True)
class Exam:
    """An examination during training.

    Attributes:
        ask: Examines the model as it stands; gives shares in [0, 1] by name.
        every: Steps between examinations.
    """

    ask: Callable[[Any], Mapping[str, float]]
    every: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told what while a training runs.

    Attributes:
        tell: Is told every step.
        examine: Asks an LMM in a directory so many questions; gives shares in [0, 1] by name.
    """

    tell: Tell | None = None
    examine: Callable[[Path, int], Mapping[str, float]] | None = None

    def exam(self, every: int, questions: int, publish: Callable[[Any, Path], None]) -> Exam | None:
        """Make the examination of a stage, or none where none is wanted.

        Args:
            every: Steps between; 0 for none.
            questions: How many questions it asks.
            publish: Writes the model as it stands as a directory that opens.
        """
        examine = self.examine
        if not every or examine is None:
            return None

        def ask(model: Any) -> Mapping[str, float]:
            with tempfile.TemporaryDirectory() as folder:
                publish(model, Path(folder))
                return examine(Path(folder), questions)

        return Exam(ask, every)


class Reporter(TrainerCallback):
    """Logs the loss, tells the steps, asks the examinations and keeps what was logged."""

    def __init__(self, stage: str, tell: Tell | None = None, exam: Exam | None = None) -> None:
        self._stage = stage
        self._tell = tell
        self._exam = exam
        self._loss: float | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Log a loss."""
        del args, control
        if logs and "loss" in logs and state.is_world_process_zero:
            self._loss = float(logs["loss"])
            _log.info(
                "%s: step %d/%d loss %.4f rate %.2e",
                self._stage,
                state.global_step,
                state.max_steps,
                float(logs["loss"]),
                float(logs["learning_rate"]),
            )

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Tell the step, and examine when it is time."""
        del args, control
        if self._tell is not None and state.is_world_process_zero:
            self._tell(Step(self._stage, state.global_step, state.max_steps, self._loss))
        if self._exam is not None and state.is_world_process_zero and state.global_step % self._exam.every == 0:
            before = random_state()  # an examination must not change what comes after it
            shares = dict(self._exam.ask(model))
            set_random_state(before)
            state.log_history.append({"step": state.global_step, **{f"exam {k}": v for k, v in shares.items()}})
            text = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
            _log.info("%s: step %d/%d %s", self._stage, state.global_step, state.max_steps, text)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep what was logged beside the checkpoints."""
        del control
        if state.is_world_process_zero:
            folder = Path(args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / HISTORY).write_text(json.dumps(state.log_history), "utf-8")


class Meter:
    """Measures how fast a stage went and what memory the process took at most."""

    def __init__(self, samples: Sequence[Sample], batches: Sequence[Sequence[int]]) -> None:
        self._samples = samples
        self._batches = batches
        self._started = time.monotonic()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def line(self, first: int, processes: int) -> str:
        """Say samples and tokens a second over all processes, and the peak of memory.

        Args:
            first: The first batch that was trained in this run; those before were done earlier.
            processes: How many trained side by side.
        """
        seconds = max(time.monotonic() - self._started, 1e-9)
        seen = [index for batch in self._batches[first:] for index in batch]
        tokens = sum(len(self._samples[index].ids) for index in seen)
        speed = f"{processes * len(seen) / seconds:.1f} samples/s, {processes * tokens / seconds:,.0f} tokens/s"
        return f"{speed}, at most {peak_memory()}"


def peak_memory() -> str:
    """Say the most memory that this process has held: on the GPU where there is one."""
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of GPU memory"
    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30:.1f} GiB of memory"
