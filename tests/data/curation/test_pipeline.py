import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.data.curation.pipeline import curate_spec
from llavaplus_graph.data.curation.spec import Spec
from llavaplus_graph.data.record import Record, read_records
from llavaplus_graph.errors import ConfigError, DataError, ServerError

Write = Callable[..., Spec]


def records(folder: Path, split: str = "train") -> list[Record]:
    return list(read_records(folder / "out" / f"{split}.jsonl"))


def served(loopback: Any, **settings: Any) -> dict[str, Any]:
    return {"labeller": {"model": "writer", "base_url": loopback.url, **settings}, "wait": 0.0}


def test_the_grammar_fills_four_slots_and_the_skill_really_runs(tmp_path: Path, write: Write) -> None:
    report = curate_spec(write(), tmp_path)
    assert (report.kept, report.tasks["find"].held_out) == (10, 3)
    for record in records(tmp_path):
        asked, plan, result, answer = record.conversations
        (action,) = plan["actions"]
        colour = action["API_params"]["query"]
        assert action["API_name"] == "find_colour"
        assert colour in asked["value"]
        assert f"'phrases': ['{colour}']" in result["value"]
        assert answer["value"].startswith("It is at [[0.")


def test_a_chat_model_labels_over_the_wire(tmp_path: Path, write: Write, loopback: Any) -> None:
    loopback.delay = 0.02
    report = curate_spec(write(**served(loopback), concurrency=3), tmp_path)
    assert report.kept == 10
    assert report.spent.requests == len(loopback.bodies) == 20
    assert (report.spent.input_tokens, report.spent.output_tokens) == (2000, 200)
    assert 1 < loopback.together <= 3
    assert {body["response_format"]["type"] for body in loopback.bodies} == {"json_schema"}
    assert not any("find_colour" in str(body["messages"]) for body in loopback.bodies)


def test_a_rerun_asks_for_nothing_even_when_only_the_cache_is_left(tmp_path: Path, write: Write, loopback: Any) -> None:
    spec = write(**served(loopback, prices={"input": 1.0, "output": 10.0}))
    first = curate_spec(spec, tmp_path)
    made = (tmp_path / "out" / "train.jsonl").read_bytes()
    assert first.cost(first.spent) == pytest.approx(0.004)
    again = curate_spec(spec, tmp_path)
    (tmp_path / "out" / "journal.jsonl").unlink()
    cached = curate_spec(spec, tmp_path)
    assert (again.spent.requests, again.spent.cached) == (0, 0)
    assert (cached.spent.requests, cached.spent.cached) == (0, 20)
    assert again.altogether == first.altogether
    assert len(loopback.bodies) == 20
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == made


def test_more_records_ask_only_for_what_is_new(tmp_path: Path, write: Write, loopback: Any) -> None:
    task = {"name": "find", "kind": "arguments", "skills": ["find_colour.py"]}
    curate_spec(write(**served(loopback), tasks=[{**task, "records": 10}]), tmp_path)
    report = curate_spec(write(**served(loopback), tasks=[{**task, "records": 20}]), tmp_path)
    assert report.spent.requests == 20
    assert len(loopback.bodies) == 40


def test_no_held_out_record_shares_its_picture_or_its_way_of_asking(tmp_path: Path, write: Write) -> None:
    curate_spec(write(), tmp_path)
    train, held = records(tmp_path), records(tmp_path, "held_out")
    assert not {record.images for record in train} & {record.images for record in held}
    journal = [json.loads(line) for line in (tmp_path / "out" / "journal.jsonl").read_text("utf-8").splitlines()]
    assert {line["split"] for line in journal} == {"train", "held_out"}
    starts = [{record.conversations[0]["value"].split()[1] for record in part} for part in (train, held)]
    assert train
    assert held
    assert starts[0] != starts[1]


def test_an_absent_thing_is_asked_for_and_the_answer_says_so(tmp_path: Path, write: Write, loopback: Any) -> None:
    task = {"name": "absent", "kind": "absent", "skills": ["find_colour.py"], "records": 6}
    curate_spec(write(**served(loopback), tasks=[task]), tmp_path)
    for record in records(tmp_path):
        assert "'boxes': []" in record.conversations[2]["value"]
        assert record.conversations[3]["value"] == "No, nothing here has that colour."


def test_an_absent_thing_that_the_skill_finds_all_the_same_is_dropped(tmp_path: Path, write: Write) -> None:
    (tmp_path / "contexts.jsonl").write_text(
        "".join(
            json.dumps({"image": f"{n}.png", "objects": [{"name": "clock", "box": [0, 0, 1, 1]}]}) + "\n"
            for n in range(6)
        )
        + json.dumps({"image": "0.png", "objects": [{"name": "red", "box": [0, 0, 1, 1]}]}),
        "utf-8",
    )
    task = {
        "name": "absent",
        "kind": "absent",
        "skills": ["find_colour.py"],
        "records": 12,
        "phrasings": "phrasings.yaml",
    }
    report = curate_spec(write(tasks=[task], held_out=0.0), tmp_path)
    assert report.dropped["the skill found what is not there"] > 0
    assert all("'boxes': []" in record.conversations[2]["value"] for record in records(tmp_path))


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("no JSON", "the labeller's reply cannot be read"),
        ('{"question": 3}', "the labeller's reply cannot be read"),
        ({"refusal": "I cannot help with that."}, "the labeller refused"),
        ("I'm sorry, but I can't write this.", "the labeller refused"),
        (400, "the labeller refused"),
        ('{"question": "Use colour-finder on red", "first": {"query": "red"}}', "it names the skill"),
        ('{"question": "What does the caption say?", "first": {"query": "red"}}', "it reveals what the labeller was"),
        ('{"question": "Wo ist denn das rote Ding?", "first": {"query": "red"}}', "it is in another language"),
        ('{"question": " ", "first": {"query": "red"}}', "it is empty"),
    ],
)
def test_what_a_labeller_writes_amiss_is_dropped_with_its_reason(
    tmp_path: Path, write: Write, loopback: Any, reply: Any, reason: str
) -> None:
    usual = loopback.script
    loopback.script = lambda body: reply if "red" in str(body["messages"][-1]) else usual(body)
    report = curate_spec(write(**served(loopback)), tmp_path)
    assert any(dropped.startswith(reason) for dropped in report.dropped)
    assert report.kept > 0
    dropped = [json.loads(line) for line in (tmp_path / "out" / "dropped.jsonl").read_text("utf-8").splitlines()]
    assert len(dropped) == 10 - report.kept
    assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["kept"] == report.kept


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"answerable": True, "answer": "It is at [0.11, 0.22, 0.33, 0.44]."}, "it cites numbers"),
        ({"answerable": True, "answer": "I see seven of them."}, "it cites numbers"),
        ({"answerable": False, "answer": "I cannot say."}, "what was found does not answer"),
    ],
)
def test_nothing_left_is_an_error_that_says_why(
    tmp_path: Path, write: Write, loopback: Any, answer: Any, reason: str
) -> None:
    spoken = json.dumps(answer)
    usual = loopback.script
    loopback.script = lambda body: spoken if "Result:" in str(body["messages"][-1]) else usual(body)
    with pytest.raises(DataError, match=f"Nothing is left of 10 samples: 10 because {reason}"):
        curate_spec(write(**served(loopback)), tmp_path)


def test_questions_that_say_the_same_are_kept_once(tmp_path: Path, write: Write, loopback: Any) -> None:
    asked = json.dumps({"question": "Could you tell me where the red square is?", "first": {"query": "red"}})
    usual = loopback.script
    loopback.script = lambda body: usual(body) if "Result:" in str(body["messages"][-1]) else asked
    report = curate_spec(write(**served(loopback)), tmp_path)
    assert report.kept == 1
    assert report.dropped == {"it says the same as another one": 9}


def test_an_overload_is_waited_for(tmp_path: Path, write: Write, loopback: Any) -> None:
    usual = loopback.script

    def moody(body: dict[str, Any]) -> Any:
        return (429, 500, 503)[len(loopback.bodies) % 4 - 1] if len(loopback.bodies) % 4 else usual(body)

    loopback.script = moody
    report = curate_spec(write(**served(loopback), concurrency=1), tmp_path)
    assert report.kept == 10
    assert len(loopback.bodies) == 80
    assert report.spent.requests == 20


def test_a_server_that_stays_down_ends_the_work_and_what_was_done_is_kept(
    tmp_path: Path, write: Write, loopback: Any
) -> None:
    usual = loopback.script
    loopback.script = lambda body: usual(body) if len(loopback.bodies) <= 6 else 503
    spec = write(**served(loopback), concurrency=1, retries=1)
    with pytest.raises(ServerError, match=r"'writer' at http.*failed 2 times .503.*what is done is kept"):
        curate_spec(spec, tmp_path)
    loopback.script = usual
    before = len(loopback.bodies)
    assert curate_spec(spec, tmp_path).kept == 10
    assert len(loopback.bodies) - before == 20 - 6


def test_a_wrong_key_ends_the_work_at_once(
    tmp_path: Path, write: Write, loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.script = lambda body: 401
    monkeypatch.setenv("WRITER_KEY", "wrong")
    spec = write(**served(loopback, api_key_env="WRITER_KEY"), concurrency=1)
    with pytest.raises(ConfigError, match=r"The labeller 'writer' at http.* refused the key \(401\)"):
        curate_spec(spec, tmp_path)
    assert loopback.keys == {"Bearer wrong"}
    assert len(loopback.bodies) == 1


def test_nobody_works_twice_in_one_folder(tmp_path: Path, write: Write) -> None:
    spec = write()

    def meddle(done: int, total: int) -> None:
        curate_spec(spec, tmp_path)

    with pytest.raises(ConfigError, match="another process makes data"):
        curate_spec(spec, tmp_path, progress=meddle)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, write: Write) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    spec = write().model_copy(update={"out": tmp_path / "file" / "below" / ("x" * 300)})
    with pytest.raises(ConfigError, match="cannot be written to"):
        curate_spec(spec, tmp_path)
    named_too_long = spec.model_copy(update={"out": tmp_path / ("x" * 300)})
    with pytest.raises(ConfigError, match="cannot be written to: File name too long"):
        curate_spec(named_too_long, tmp_path)
