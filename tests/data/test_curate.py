import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from llavaplus_graph.data import curate as curating
from llavaplus_graph.data.curate import curate, render_pictures, stage_records, training_phrasings
from llavaplus_graph.data.heldout import plain_words
from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.data.recipe import Recipe, Stage
from llavaplus_graph.errors import DataError

WORDS = Stage("words", 25, answer_drills=0.3, plan_drills=0.2)
SEEN = Stage("pictures", 25, sight_drills=0.2, pictured=0.9)


def recipe(out: Path) -> Recipe:
    return Recipe(out, seed=3, pictures=2, stages=(WORDS, SEEN))


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    made = recipe(tmp_path_factory.mktemp("curated"))
    curate(made)
    return made


def test_a_recipe_makes_its_records_and_pictures(curated: Recipe) -> None:
    for stage in (WORDS, SEEN):
        records = list(stage_records(curated, stage))
        assert [record.unique_id for record in records] == [f"{stage.name}-{number}" for number in range(25)]
    assert not any(record.images for record in stage_records(curated, WORDS))
    shown = {file for record in stage_records(curated, SEEN) for file in record.images}
    assert len(shown) > 5
    assert all((curated.data / file).exists() for file in shown)


def test_every_picture_is_listed_with_what_is_on_it(curated: Recipe) -> None:
    facts = render_pictures(curated)
    assert [fact.kind for fact in facts] == [kind for kind in PICTURE_KINDS for _ in range(2)]
    for fact in facts:
        with Image.open(curated.data / fact.file) as picture:
            assert (picture.format, picture.mode) == ("JPEG", "RGB")
        assert bool(fact.texts) == (fact.kind not in ("scene", "photograph", "blank"))


def test_the_same_recipe_gives_the_same_bytes_elsewhere(curated: Recipe, tmp_path: Path) -> None:
    again = recipe(tmp_path)
    curate(again)
    assert contents(again.data) == contents(curated.data)


def test_an_interrupted_run_makes_only_what_is_missing(curated: Recipe) -> None:
    before = contents(curated.data)
    lost = curated.data / "pictures-000.jsonl"
    lost.unlink()
    (curated.data / "pictures-000.partial").write_text("cut off", "utf-8")
    kept = curated.data / "words-000.jsonl"
    written = kept.stat().st_mtime_ns
    curate(curated)
    assert contents(curated.data) == before
    assert kept.stat().st_mtime_ns == written


def test_a_shard_that_breaks_off_leaves_no_file_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = curating._compose

    def stop_at_seven(composer: object, stage: object, rng: object, index: int) -> object:
        if index == 7:
            raise KeyboardInterrupt
        return composed(composer, stage, rng, index)  # type: ignore[arg-type]

    monkeypatch.setattr(curating, "_compose", stop_at_seven)
    with pytest.raises(KeyboardInterrupt):
        curate(replace(recipe(tmp_path), stages=(WORDS,)))
    assert not list(tmp_path.rglob("*.jsonl"))


def test_shards_are_drawn_apart_and_their_records_go_on_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curating, "_SHARD", 10)
    made = replace(recipe(tmp_path), stages=(WORDS,))
    curate(made)
    lines = [path.read_text("utf-8").splitlines() for path in sorted(made.data.glob("*.jsonl"))]
    assert [len(shard) for shard in lines] == [10, 10, 5]
    assert json.loads(lines[2][4])["unique_id"] == "words-24"
    assert len({json.dumps(json.loads(line)["conversations"]) for shard in lines for line in shard}) == 25


def test_another_seed_gives_other_records(tmp_path: Path) -> None:
    made = [replace(recipe(tmp_path / str(seed)), seed=seed, stages=(WORDS,)) for seed in (1, 2)]
    for one in made:
        curate(one)
    first, second = ([record.conversations for record in stage_records(one, WORDS)] for one in made)
    assert not any(record in second for record in first)


def test_without_curated_records_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"words-000\.jsonl'; run `llavaplus curate`"):
        next(stage_records(recipe(tmp_path), WORDS))


def test_words_whose_plan_depends_on_the_picture_are_trained_with_pictures_alone() -> None:
    depending = {plain_words(phrasing.text) for phrasing in training_phrasings() if phrasing.plans is not None}
    assert len(depending) > 100
    assert not depending & {plain_words(phrasing.text) for phrasing in training_phrasings() if phrasing.plans is None}
