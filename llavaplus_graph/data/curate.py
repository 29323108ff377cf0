"""Curation: renders pictures and composes records into a folder, shard by shard, so that an interrupted run goes on.

The folder holds `pictures/KIND/NNNNN.jpg`, `pictures/KIND-NNNNN.jsonl` (what is on them) and one `STAGE-NNN.jsonl` a
shard of records. Every shard and picture is drawn from its own seed: the same recipe gives the same files, in any order
of work.
"""

import json
import logging
import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

from llavaplus_graph.data.conversations import Composer, PictureFact
from llavaplus_graph.data.heldout import is_held_out, plain_words
from llavaplus_graph.data.phrasing import Phrasing, load_phrasings
from llavaplus_graph.data.pictures import PictureKind, draw_picture
from llavaplus_graph.data.recipe import Recipe, Stage
from llavaplus_graph.data.record import Record, read_records
from llavaplus_graph.errors import DataError

_SHARD = 2_000
_log = logging.getLogger(__name__)


def curate(recipe: Recipe) -> None:
    """Make the data that a recipe asks for; what is there already is kept.

    Args:
        recipe: Which pictures and records, how many, and where they go.
    """
    recipe.data.mkdir(parents=True, exist_ok=True)
    facts = render_pictures(recipe) if any(stage.needs_pictures for stage in recipe.stages) else []
    phrasings = training_phrasings()
    _log.info("%d phrasings, %d pictures", len(phrasings), len(facts))
    for stage in recipe.stages:
        for shard in range(-(-stage.records // _SHARD)):
            path = recipe.data / f"{stage.name}-{shard:03d}.jsonl"
            if path.exists():
                continue
            rng = random.Random(f"{recipe.seed}/{stage.name}/{shard}")
            composer = Composer(phrasings, facts, rng)
            count = min(_SHARD, stage.records - shard * _SHARD)
            _write_lines(
                path, (_compose(composer, stage, rng, shard * _SHARD + index).to_json() for index in range(count))
            )
        _log.info("stage %s: %d records", stage.name, stage.records)


def training_phrasings() -> list[Phrasing]:
    """Give the phrasings to train on: none that stands in the examination, none that two files claim.

    Words whose plan depends on the picture belong to that file alone, whoever else lists them.
    """
    every = load_phrasings()
    depending = {plain_words(phrasing.text) for phrasing in every if phrasing.plans is not None}
    return [
        p for p in every if not is_held_out(p.text) and (p.plans is not None or plain_words(p.text) not in depending)
    ]


def stage_records(recipe: Recipe, stage: Stage) -> Iterator[Record]:
    """Read the records of a stage in order.

    Raises:
        DataError: If they have not been curated; names the file that is missing.
    """
    for path in shard_files(recipe, stage):
        if not path.exists():
            raise DataError(f"There is no {str(path)!r}; run `llavaplus curate` with this recipe first.")
        yield from read_records(path)


def shard_files(recipe: Recipe, stage: Stage) -> list[Path]:
    """Name the files of a stage's records, in order."""
    return [recipe.data / f"{stage.name}-{shard:03d}.jsonl" for shard in range(-(-stage.records // _SHARD))]


def render_pictures(recipe: Recipe) -> list[PictureFact]:
    """Render the pictures of a recipe in as many processes as there are cores, and list what is on them."""
    jobs = [
        (str(recipe.data), recipe.seed, kind, start, min(start + 100, recipe.pictures))
        for kind in get_args(PictureKind)
        for start in range(0, recipe.pictures, 100)
    ]
    todo = [job for job in jobs if not _facts_file(job).exists()]
    if todo:
        # A forked process may inherit locks that a thread of this one holds; a fresh one cannot.
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            for done, _ in enumerate(pool.map(_render_batch, todo), start=1):
                if done % 10 == 0:
                    _log.info("rendered %d of %d pictures", done * 100, len(todo) * 100)
    return [
        PictureFact(fact["file"], fact["kind"], tuple(fact["texts"]))
        for job in jobs
        for fact in map(json.loads, _facts_file(job).read_text("utf-8").splitlines())
    ]


def _render_batch(job: tuple[str, int, PictureKind, int, int]) -> None:
    folder, seed, kind, start, stop = job
    target = Path(folder) / "pictures" / kind
    target.mkdir(parents=True, exist_ok=True)
    lines = []
    for index in range(start, stop):
        drawn = draw_picture(kind, random.Random(f"{seed}/{kind}/{index}"))
        drawn.picture.save(target / f"{index:05d}.jpg", quality=90)
        lines.append(
            json.dumps(
                {"file": f"pictures/{kind}/{index:05d}.jpg", "kind": kind, "texts": drawn.texts}, ensure_ascii=False
            )
        )
    _write_lines(_facts_file(job), lines)


def _facts_file(job: tuple[str, int, PictureKind, int, int]) -> Path:
    return Path(job[0]) / "pictures" / f"{job[2]}-{job[3]:05d}.jsonl"


def _compose(composer: Composer, stage: Stage, rng: random.Random, index: int) -> Record:
    name = f"{stage.name}-{index}"
    share = rng.random()
    if share < stage.answer_drills:
        return composer.answer_drill(name)
    share -= stage.answer_drills
    if share < stage.plan_drills:
        return composer.plan_drill(name)
    share -= stage.plan_drills
    if share < stage.sight_drills:
        return composer.sight_drill(name)
    return composer.conversation(name, pictured=rng.random() < stage.pictured)


def _write_lines(path: Path, lines: Sequence[str] | Iterator[str]) -> None:
    """Write a file that is either whole or not there."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)
    partial.replace(path)
