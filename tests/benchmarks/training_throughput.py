"""Samples a second of this package's trainer against a plain `transformers.Trainer` that pads to the longest.

    python tests/benchmarks/training_throughput.py [SAMPLES]

The same LMM (the size of the bundled one, random weights), the same conversations with and without pictures, as many
steps: the plain loop takes them in random order, pads each batch to its longest and computes logits everywhere; ours
groups them by length and computes logits where labels are. The two take turns, so that whatever else the machine does
meets both.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, Trainer
from transformers.trainer_callback import PrinterCallback

from llavaplus_graph.chat_model.checkpoints import bundled
from llavaplus_graph.data.collate import Collator, Sample, tokenize
from llavaplus_graph.data.conversations import Composer, PictureFact
from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.protocol import V1
from llavaplus_graph.train.batches import plan_batches
from llavaplus_graph.train.build import build_model, image_tokens
from llavaplus_graph.train.settings import Settings, arguments
from llavaplus_graph.train.trainer import CurriculumTrainer

POSITIONS = 4_800
ROUNDS = 3
SHAPE = Shape()


class Blank(dict[str, torch.Tensor]):
    """Gives every picture the same pixels: how pictures are read is not compared."""

    def __missing__(self, key: str) -> torch.Tensor:
        return torch.zeros(3, SHAPE.picture, SHAPE.picture)


class PlainTrainer(Trainer):
    """The Trainer as it comes; only its batches are given, so that both do the same steps."""

    batches: Sequence[Sequence[int]]

    def get_train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator)  # type: ignore[arg-type]


def conversations(count: int, tokenizer: Any) -> list[Sample]:
    """Compose conversations as curation does, most of them with a picture."""
    rng = random.Random(1)
    facts = [PictureFact(f"{kind}.jpg", kind, ("WET FLOOR",)) for kind in PICTURE_KINDS]
    composer = Composer(training_phrasings(), facts, rng)
    records = [composer.conversation(f"c{index}", pictured=rng.random() < 0.85) for index in range(count)]
    return [tokenize(record, tokenizer, V1, image_tokens(SHAPE)) for record in records]


def at_random(samples: Sequence[Sample], steps: int) -> list[list[int]]:
    """Deal the samples into so many batches, in random order."""
    order = list(range(len(samples)))
    random.Random(2).shuffle(order)
    return [order[start::steps] for start in range(steps)]


def padded(samples: Sequence[Sample], batches: Sequence[Sequence[int]]) -> int:
    """Count the positions of all batches, padding included."""
    return sum(len(batch) * max(len(samples[index].ids) for index in batch) for batch in batches)


def timed(kind: type[Any], samples: Sequence[Sample], batches: list[list[int]], tokenizer: Any) -> float:
    """Train once over all batches; gives seconds."""
    model = build_model(SHAPE, tokenizer, 1)
    model.set_attn_implementation("eager")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings("benchmark", seed=1, learning_rate=1e-4, save_steps=10**6)
        trainer = kind(
            model=model,
            args=arguments(settings, Path(folder), len(batches)),
            train_dataset=samples,
            data_collator=Collator(Blank(), int(tokenizer.pad_token_id)),
        )
        trainer.batches = batches
        trainer.args.save_strategy = "no"
        trainer.remove_callback(PrinterCallback)
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started


def main(count: int = 240) -> None:
    """Print samples a second of both and their ratio."""
    tokenizer = AutoTokenizer.from_pretrained(bundled())
    samples = conversations(count, tokenizer)
    grouped = plan_batches(samples, POSITIONS, 1)
    contestants: list[tuple[str, Callable[[], float], list[list[int]]]] = []
    for name, kind, batches in (
        ("plain Trainer, padded to the longest", PlainTrainer, at_random(samples, len(grouped))),
        ("grouped, logits where labels are", CurriculumTrainer, grouped),
    ):
        contestants.append((name, lambda k=kind, b=batches: timed(k, samples, b, tokenizer), batches))  # type: ignore[misc]
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in contestants}
    for _ in range(ROUNDS):
        for name, run, _ in contestants:
            seconds[name].append(run())
    title = f"{count} conversations, {len(grouped)} steps, median of {ROUNDS} turns"
    table = Table("", "samples/s", "positions", "of them padding", title=title, title_justify="left")
    tokens = sum(len(sample.ids) for sample in samples)
    speeds = []
    for name, _, batches in contestants:
        positions = padded(samples, batches)
        speeds.append(count / statistics.median(seconds[name]))
        table.add_row(name, f"{speeds[-1]:.1f}", f"{positions:,}", f"{1 - tokens / positions:.1%}")
    table.add_row("ratio", f"{speeds[1] / speeds[0]:.2f}", "", "")
    Console().print(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
