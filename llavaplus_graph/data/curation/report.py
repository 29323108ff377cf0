"""What curation made and what it threw away, and why. Pure; the command line draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from llavaplus_graph.data.curation.filling import Outcome
from llavaplus_graph.data.curation.labelling import Spent
from llavaplus_graph.data.curation.spec import Prices
from llavaplus_graph.data.sources.streaming import Tally

_MOST_EXAMPLES = 3


@dataclass(slots=True)
class TaskReport:
    """How many records a task gave to each split, and what was dropped for which reason."""

    train: int = 0
    held_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def kept(self) -> int:
        """Records of both splits."""
        return self.train + self.held_out


@dataclass(slots=True)
class Report:
    """What a run of curation gave.

    Attributes:
        tasks: By name.
        examples: Some details of what was dropped, by reason.
        spent: What labelling took in this run.
        altogether: What it took in all runs.
        prices: Of the labeller.
        pictures: What was read of pictures, and what of it could not be used.
        warnings: What the reader should know, a sentence each.
    """

    tasks: dict[str, TaskReport] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    altogether: Spent = field(default_factory=Spent)
    prices: Prices | None = None
    pictures: Tally = field(default_factory=Tally)
    warnings: list[str] = field(default_factory=list)

    @property
    def kept(self) -> int:
        """Records of all tasks."""
        return sum(task.kept for task in self.tasks.values())

    @property
    def dropped(self) -> Counter[str]:
        """Reasons over all tasks."""
        return sum((task.dropped for task in self.tasks.values()), Counter())

    def keep(self, outcome: Outcome) -> None:
        """Count a record."""
        task = self._task(outcome.task)
        if outcome.split == "train":
            task.train += 1
        else:
            task.held_out += 1

    def drop(self, outcome: Outcome, reason: str, detail: str) -> None:
        """Count a sample that was thrown away."""
        self._task(outcome.task).dropped[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _MOST_EXAMPLES:
            examples.append(f"{outcome.name}: {detail}" if detail else outcome.name)

    def cost(self, spent: Spent) -> float | None:
        """What tokens cost; None where no prices are known."""
        if self.prices is None:
            return None
        return (spent.input_tokens * self.prices.input + spent.output_tokens * self.prices.output) / 1e6

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain JSON."""
        return {
            "kept": self.kept,
            "tasks": {
                name: {"train": task.train, "held_out": task.held_out, "dropped": dict(task.dropped.most_common())}
                for name, task in self.tasks.items()
            },
            "examples": self.examples,
            "labeller": {"this_run": self._told(self.spent), "altogether": self._told(self.altogether)},
            "pictures": {"kept": self.pictures.kept, "dropped": dict(self.pictures.dropped)},
            "warnings": self.warnings,
        }

    def _told(self, spent: Spent) -> dict[str, Any]:
        cost = self.cost(spent)
        return {
            "requests": spent.requests,
            "cached": spent.cached,
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            **({} if cost is None else {"cost": round(cost, 6)}),
        }

    def _task(self, name: str) -> TaskReport:
        return self.tasks.setdefault(name, TaskReport())


def total(outcomes: Iterable[Outcome]) -> Spent:
    """Add up what outcomes took."""
    spent = Spent()
    for outcome in outcomes:
        spent.add(outcome.spent)
    return spent
