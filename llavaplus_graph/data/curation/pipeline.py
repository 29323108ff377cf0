"""Curation from a spec: plans samples, fills them, throws away what is unfit, writes files. Asks nobody by itself.

Two steps. The first fills samples in any order and appends each outcome to a journal; it can be killed anywhere and
goes on. The second reads the journal in the order of the plan, drops duplicates and writes the files whole; it costs
nothing and gives the same files whenever the journal is the same.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.filling import Filler, Outcome
from llavaplus_graph.data.curation.journal import Journal, sample_key
from llavaplus_graph.data.curation.labeller import open_labeller
from llavaplus_graph.data.curation.labelling import Labeller
from llavaplus_graph.data.curation.overlap import Overlap
from llavaplus_graph.data.curation.plan import SPLITS, Sample, plan_samples
from llavaplus_graph.data.curation.ray_engine import fill_with_ray
from llavaplus_graph.data.curation.report import Report, total
from llavaplus_graph.data.curation.running import open_skills
from llavaplus_graph.data.curation.spec import LabellerSpec, Prices, Spec
from llavaplus_graph.data.sources.coco import read_coco
from llavaplus_graph.data.sources.contexts import ImageContext, read_contexts, with_pictures
from llavaplus_graph.data.sources.streaming import Tally
from llavaplus_graph.errors import ConfigError, DataError
from llavaplus_graph.images import ImageStore

_log = logging.getLogger(__name__)
DUPLICATE = "it says the same as another one"

Engine = Literal["local", "ray"]
Progress = Callable[[int, int], None]
"""Told how many samples are done and how many there are."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A spec and everything it names, opened."""

    spec: Spec
    contexts: Sequence[ImageContext]
    tools: Mapping[str, BaseTool]
    labeller: Labeller
    store: ImageStore
    tally: Tally

    def filler(self) -> Filler:
        things = [name for context in self.contexts for name in context.names]
        folders, filters = self.spec.images.folders, self.spec.filters
        return Filler(self.labeller, self.tools, folders, self.store, filters, list(dict.fromkeys(things)))


def curate_spec(
    spec: Spec,
    folder: Path,
    *,
    model: BaseChatModel | None = None,
    engine: Engine = "local",
    progress: Progress | None = None,
) -> Report:
    """Make the data of a spec: `train.jsonl`, `held_out.jsonl`, `dropped.jsonl` and `report.json` in its folder.

    Args:
        spec: What is asked for.
        folder: The folder that skill files and a labeller's module are relative to.
        model: A chat model that labels instead of the spec's labeller.
        engine: `local` works in threads of this process, `ray` on the machines of a Ray cluster.
        progress: Told after every sample.

    Raises:
        ConfigError: If something that the spec names cannot be used, or another process works on it.
        DataError: If there are no pictures, or nothing is left of the samples.
        ServerError: If the labeller keeps failing; what is done is kept.
        MissingExtraError: If an extra is not installed.
    """
    with _alone(spec.out):
        tools = open_skills([entry for task in spec.tasks for entry in task.skills], folder, _store(spec))
        labeller = open_labeller(spec, tools, folder, model)
        tally = Tally()
        work = _Work(spec, _contexts(spec, tally), tools, labeller, _store(spec), tally)
        intentions = {task.name: labeller.intentions(task) for task in spec.tasks if task.kind != "mixed"}
        samples = plan_samples(spec, work.contexts, intentions)
        keys = {sample_key(sample, labeller, tools, spec.filters): sample for sample in samples}
        with Journal(spec.out / "journal.jsonl") as journal:
            missing = {key: sample for key, sample in keys.items() if key not in journal.done}
            _log.info("%d samples, %d are done already", len(keys), len(keys) - len(missing))
            filled = (
                fill_with_ray(spec, folder, model, missing, work.contexts)
                if engine == "ray"
                else _fill(work.filler(), missing, spec.concurrency)
            )
            fresh = []
            for done, (key, outcome) in enumerate(filled, start=len(keys) - len(missing) + 1):
                journal.add(key, outcome)
                fresh.append(outcome)
                if progress is not None:
                    progress(done, len(keys))
            outcomes = [journal.done[key] for key in keys]
        report = Report(spent=total(fresh), altogether=total(outcomes), prices=_prices(spec), pictures=tally)
        report.warnings += _warnings(spec, intentions)
        _write(spec, labeller, outcomes, report)
    return report


def _store(spec: Spec) -> ImageStore:
    return ImageStore(spec.out / "pictures")


def _contexts(spec: Spec, tally: Tally) -> list[ImageContext]:
    images = spec.images
    found: list[ImageContext] = []
    if images.coco is not None:
        coco = read_coco(images.coco.instances, images.coco.captions, most=images.most, seed=spec.seed, tally=tally)
        found += with_pictures(coco, images.folders, tally)
    if images.contexts is not None:
        found += with_pictures(read_contexts(images.contexts, tally=tally, most=images.most), images.folders, tally)
    if not found:
        raise DataError(f"There are no pictures to make data of: {tally.told()}; look at 'images' in the spec.")
    return found


def _fill(filler: Filler, missing: Mapping[str, Sample], concurrency: int) -> Iterator[tuple[str, Outcome]]:
    """Fill samples in threads, so many at a time; gives them as they are done."""
    waiting = iter(missing.items())
    running: dict[Future[Outcome], str] = {}
    pool = ThreadPoolExecutor(concurrency, "curation")
    try:
        while True:
            for key, sample in waiting:
                running[pool.submit(filler.fill, sample)] = key
                if len(running) >= concurrency:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _write(spec: Spec, labeller: Labeller, outcomes: Sequence[Outcome], report: Report) -> None:
    """Drop duplicates, write the files and finish the report."""
    within = spec.filters.alike or ("task" if labeller.free else "picture")
    known: dict[tuple[str, ...], Overlap] = {}
    lines: dict[str, list[str]] = {name: [] for name in (*SPLITS, "dropped")}
    for outcome in outcomes:
        reason, detail = outcome.reason, outcome.detail
        if not reason:
            group = (outcome.task, outcome.image) if within == "picture" else (outcome.task,)
            overlap = known.setdefault(group, Overlap(spec.filters.overlap))
            twin = overlap.add(outcome.name, "\n".join(str(slots["question"]) for slots in outcome.slots))
            reason, detail = (DUPLICATE, twin) if twin else ("", "")
        if reason:
            report.drop(outcome, reason, detail)
            told = {"name": outcome.name, "task": outcome.task, "reason": reason, "detail": detail}
            lines["dropped"].append(json.dumps({**told, "slots": list(outcome.slots)}, ensure_ascii=False))
        else:
            report.keep(outcome)
            lines[outcome.split].append(outcome.record)
    for name, content in lines.items():
        _write_whole(spec.out / f"{name}.jsonl", "".join(f"{line}\n" for line in content))
    _write_whole(spec.out / "report.json", json.dumps(report.to_json(), ensure_ascii=False, indent=2) + "\n")
    if not report.kept:
        most = ", ".join(f"{count} because {reason}" for reason, count in report.dropped.most_common(3))
        raise DataError(f"Nothing is left of {len(outcomes)} samples: {most}; see {spec.out / 'report.json'}.")


def _warnings(spec: Spec, intentions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, known in intentions.items():
        if spec.held_out > 0 and len(set(known)) < 2:
            yield f"The task {name!r} has one way of asking, so its held-out records are held out by picture only."


def _prices(spec: Spec) -> Prices | None:
    return spec.labeller.prices if isinstance(spec.labeller, LabellerSpec) else None


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other processes from the same folder."""
    lock = FileLock(out / ".lock", timeout=0)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ConfigError(f"another process makes data in {str(out)!r}; wait for it or name another 'out'.") from None
    except OSError as error:
        raise ConfigError(f"the folder {str(out)!r} cannot be written to: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()
