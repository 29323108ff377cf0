from collections.abc import Sequence

import pytest

from llavaplus_graph.data.curation.plan import divided, plan_samples
from llavaplus_graph.data.curation.spec import Spec
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import DataError

CUP = {"name": "cup", "box": [0.1, 0.1, 0.5, 0.5]}
PICTURES = [ImageContext.model_validate({"image": f"{n}.png", "objects": [CUP]}) for n in range(20)]
WAYS = {"read": ["short", "polite", "odd", "long"], "talk": ["calm", "loud"]}


def spec(*tasks: dict[str, object], held_out: float = 0.25) -> Spec:
    every = tasks or ({"name": "read", "kind": "plain", "skills": ["read_text"], "records": 40},)
    body = {"kind": "skills", "out": "out", "images": {"coco": {"instances": __file__}}, "tasks": every}
    return Spec.model_validate({**body, "held_out": held_out})


def test_splits_share_neither_pictures_nor_ways_of_asking() -> None:
    samples = plan_samples(spec(), PICTURES, WAYS)
    parts = [[s for s in samples if s.split == split] for split in ("train", "held_out")]
    assert [len(part) for part in parts] == [30, 10]
    pictures = [{s.context.image for s in part} for part in parts]
    ways = [{s.parts[0].intention for s in part} for part in parts]
    assert not pictures[0] & pictures[1]
    assert not ways[0] & ways[1]
    assert ways[0] | ways[1] == set(WAYS["read"])


def test_the_same_spec_gives_the_same_samples_and_more_records_keep_the_first() -> None:
    task = {"name": "read", "kind": "plain", "skills": ["read_text"]}
    assert plan_samples(spec(), PICTURES, WAYS) == plan_samples(spec(), PICTURES, WAYS)
    few, many = ({s.name: s for s in plan_samples(spec({**task, "records": n}), PICTURES, WAYS)} for n in (40, 80))
    assert all(
        (many[name].context, many[name].parts[0].intention) == (sample.context, sample.parts[0].intention)
        for name, sample in few.items()
    )


def test_no_pair_of_picture_and_way_of_asking_comes_again_before_all_have_come() -> None:
    samples = plan_samples(
        spec({"name": "read", "kind": "plain", "skills": ["read_text"], "records": 90}, held_out=0.0), PICTURES, WAYS
    )
    pairs = [(s.context.image, s.parts[0].intention, s.parts[0].variation) for s in samples]
    assert len({pair[:2] for pair in pairs[:80]}) == 80
    assert {pair[2] for pair in pairs} == {0, 1}
    assert len(set(pairs)) == 90


def test_a_mixed_conversation_draws_its_turns_from_other_tasks() -> None:
    tasks: list[dict[str, object]] = [
        {"name": "read", "kind": "plain", "skills": ["read_text"]},
        {"name": "talk", "kind": "chat"},
        {"name": "mix", "kind": "mixed", "of": ["read", "talk"], "turns": 4, "records": 12},
    ]
    samples = plan_samples(spec(*tasks), PICTURES, WAYS)
    assert {len(sample.parts) for sample in samples} == {4}
    assert {part.task.name for sample in samples for part in sample.parts} == {"read", "talk"}


def test_pictures_with_several_contexts_fall_on_one_side() -> None:
    twice = [*PICTURES, *(ImageContext(image=p.image, captions=("Another.",)) for p in PICTURES)]
    samples = plan_samples(spec(), twice, WAYS)
    sides = [{s.context.image for s in samples if s.split == split} for split in ("train", "held_out")]
    assert not sides[0] & sides[1]
    assert {s.context.captions for s in samples} == {(), ("Another.",)}


@pytest.mark.parametrize(("names", "held"), [(["a"], 0), (["a", "b"], 1), ([str(n) for n in range(1000)], 100)])
def test_a_share_of_names_is_held_out_but_never_all(names: Sequence[str], held: int) -> None:
    sides = divided(names, 0.1, "salt")
    assert len(sides["held_out"]) == pytest.approx(held, rel=0.3)
    assert sorted(sides["train"] + sides["held_out"]) == sorted(names)
    assert divided(names, 0.0, "salt")["held_out"] == []


def test_a_task_that_no_picture_suits_says_what_it_needs() -> None:
    task = {"name": "none", "kind": "absent", "skills": ["detect_objects"], "records": 4}
    with pytest.raises(DataError, match="No train picture suits the task 'none'; it needs a picture with objects"):
        plan_samples(spec(task), [ImageContext(image="a.png"), ImageContext(image="b.png")], {"none": ["way"]})
