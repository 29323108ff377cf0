import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llavaplus_graph.data.curation.filling import Outcome
from llavaplus_graph.data.curation.grammar import GrammarLabeller
from llavaplus_graph.data.curation.journal import Journal, sample_key
from llavaplus_graph.data.curation.labelling import Spent
from llavaplus_graph.data.curation.plan import plan_samples
from llavaplus_graph.data.curation.spec import Filters, Spec
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import DataError
from llavaplus_graph.testing import scripted_skill
from llavaplus_graph.types import Tags

DONE = Outcome("a-0", "a", "train", "a.png", '{"x": 1}', ({"question": "Grüße?"},), spent=Spent(2, 1, 100, 10))


def test_outcomes_come_back_and_half_a_line_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("one", DONE)
        journal.add("two", replace(DONE, record="", reason="it is empty"))
    whole = path.read_bytes()
    for cut in (1, len(whole) // 4, len(whole) // 2 - 1):
        path.write_bytes(whole[:-cut])
        with Journal(path) as journal:
            assert journal.done["one"] == DONE
            assert "two" not in journal.done
            journal.add("two", DONE)
        assert path.read_bytes().count(b"\n") == 2
        path.write_bytes(whole)


def test_a_line_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"key": "x"}\nnonsense\n\x00\n')
    with Journal(path) as journal:
        assert journal.done == {}


def test_a_full_disk_is_told_and_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path) as journal:
        journal.add("one", DONE)
        size = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))  # what a full disk does: a part is written
        try:
            with pytest.raises(DataError, match=r"cannot be written: .*; free some space and go on"):
                journal.add("two", DONE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.stat().st_size == size


def test_a_journal_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened: Is a directory"):
        Journal(tmp_path)


def test_the_key_follows_whatever_a_record_depends_on(tmp_path: Path) -> None:
    task: dict[str, object] = {"name": "read", "kind": "plain", "skills": ["tag_image"], "records": 1}
    body: dict[str, object] = {
        "kind": "skills",
        "out": "out",
        "images": {"coco": {"instances": __file__}},
        "tasks": [task],
    }
    tool = scripted_skill("tag_image", Tags(tags=(), scores=()))

    def key(
        change: Callable[[dict[str, object]], dict[str, object]] = lambda body: body,
        caption: str = "A cup.",
        name: str = "grammar",
        filters: Filters = Filters(),  # noqa: B008 - it is frozen
    ) -> str:
        spec = Spec.model_validate(change(body))
        context = ImageContext(image="a.png", captions=(caption,))
        (sample,) = plan_samples(spec, [context], {"read": ["way"]})[:1]
        labeller = GrammarLabeller({})
        labeller.name = name
        return sample_key(sample, labeller, {"tag_image": tool}, filters)

    same = [key(), key(lambda body: {**body, "tasks": [{**task, "records": 5}]}), key(filters=Filters(overlap=0.5))]
    assert len(set(same)) == 1
    other = [
        key(lambda body: {**body, "seed": 8}),
        key(lambda body: {**body, "tasks": [{**task, "about": "cups"}]}),
        key(caption="A dog."),
        key(name="writer"),
        key(filters=Filters(language="de")),
    ]
    assert len({same[0], *other}) == 6
