import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import llguidance
import pytest
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from llavaplus_graph.chat_model.grammar import ToolSpec, turn_grammar
from llavaplus_graph.data.conversations import Composer, PictureFact
from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.record import Record, gpt_turn
from llavaplus_graph.data.wording import KIND_NAMES
from llavaplus_graph.protocol import IMAGE, Turn, holding_message, parse_turn, render_turn

Complaint = Callable[[str, Mapping[str, Any]], str]


def composed(facts: Sequence[PictureFact], seed: int, count: int = 300) -> list[Record]:
    """Records of every sort; text alone where there are no pictures."""
    composer = Composer(training_phrasings(), facts, random.Random(seed))
    makers = [composer.answer_drill, composer.plan_drill]
    if facts:
        makers += [composer.sight_drill, *[lambda name: composer.conversation(name, pictured=True)] * 3]
    else:
        makers += [lambda name: composer.conversation(name, pictured=False)] * 3
    return [makers[number % len(makers)](f"mini-{number}") for number in range(count)]


@pytest.fixture(scope="module")
def records(facts: list[PictureFact]) -> list[Record]:
    return [*composed(facts, 1, 900), *composed([], 2, 600)]


def plans(record: Record) -> Iterator[tuple[str, Turn]]:
    """Every turn of the assistant with all that the user has said before."""
    said: list[str] = []
    for turn in record.conversations:
        if turn["from"] == "human":
            said.append(turn["value"].replace(IMAGE, "").strip())
        else:
            yield "\n".join(said), gpt_turn(turn)


def test_the_same_seed_gives_the_same_records(facts: list[PictureFact]) -> None:
    assert composed(facts, 3, 100) == composed(facts, 3, 100)
    assert composed(facts, 3, 100) != composed(facts, 4, 100)


def test_assistant_turns_come_back_from_what_is_trained(records: list[Record]) -> None:
    for record in records:
        for _, turn in plans(record):
            parsed = parse_turn(render_turn(turn))
            assert (parsed.turn, parsed.problem) == (turn, None)


def test_there_are_as_many_pictures_as_image_tokens(records: list[Record]) -> None:
    for record in records:
        assert sum(str(turn["value"]).count(IMAGE) for turn in record.conversations) == len(record.images)
    assert {len(record.images) for record in records} >= {0, 1, 2, 3}


def test_user_and_assistant_take_turns_and_the_assistant_has_the_last_word(records: list[Record]) -> None:
    for record in records:
        speakers = [turn["from"] for turn in record.conversations]
        assert speakers == ["human", "gpt"] * (len(speakers) // 2)
        assert speakers


def test_every_action_fits_the_schema_of_the_installed_skill(records: list[Record], complaint: Complaint) -> None:
    actions = [action for record in records for _, turn in plans(record) for action in turn.actions or ()]
    assert len({action.name for action in actions}) == 18
    assert [complaint(a.name, a.params) for a in actions if complaint(a.name, a.params)] == []


def test_every_quoted_argument_stands_in_what_the_user_said(records: list[Record]) -> None:
    for record in records:
        for said, turn in plans(record):
            for action in turn.actions or ():
                for key in action.params.keys() & {"query", "prompt", "instruction"}:
                    assert all(part in said for part in action.params[key].split(" . ")), record


def test_constrained_decoding_can_write_every_trained_turn(records: list[Record], tools: dict[str, BaseTool]) -> None:
    functions = [convert_to_openai_tool(tool)["function"] for tool in tools.values()]
    specs = [ToolSpec(function["name"], function["parameters"]) for function in functions]
    tokenizer = llguidance.LLTokenizer("byte")
    for record in records[::25]:
        for said, turn in plans(record):
            grammar = llguidance.grammar_from("lark", turn_grammar(specs, instruction=said))
            matcher = llguidance.LLMatcher(tokenizer, grammar)
            written = list(f" {render_turn(turn).strip()}".encode())
            assert matcher.try_consume_tokens(written) == len(written), render_turn(turn)
            assert matcher.is_accepting()


def test_turns_that_call_announce_it_and_their_thoughts_name_the_skills(records: list[Record]) -> None:
    for record in records:
        for _, turn in plans(record):
            names = [action.name for action in turn.actions or ()]
            if names:
                assert turn.value == holding_message(names)
                assert f"need {' and '.join(names)}" in str(turn.thoughts)


def test_thoughts_of_a_first_turn_name_the_kinds_of_its_pictures(
    records: list[Record], facts: list[PictureFact]
) -> None:
    kinds = {fact.file: fact.kind for fact in facts}
    for record in records:
        first = record.conversations[0]
        if first["value"].startswith(IMAGE):
            shown = record.images[: first["value"].count(IMAGE)]
            thoughts = str(gpt_turn(record.conversations[1]).thoughts)
            assert thoughts.startswith("I see ")
            assert all(KIND_NAMES[kinds[file]] in thoughts for file in shown)


def test_results_are_fed_back_with_the_question_they_answer(records: list[Record]) -> None:
    fed_back = 0
    for record in records:
        for before, plan, results in zip(
            record.conversations, record.conversations[1:], record.conversations[2:], strict=False
        ):
            if " model outputs: " in results["value"] and before["from"] == "human" and IMAGE in before["value"]:
                outputs, _, question = results["value"].partition("Please summarize the model outputs")
                assert before["value"].replace(IMAGE, "").strip() in question
                assert all(call["API_name"] in outputs for call in plan["actions"])
                fed_back += 1
    assert fed_back > 50


def test_the_same_words_get_another_plan_with_another_picture(facts: list[PictureFact]) -> None:
    words = "what does it say"
    phrasings = [phrasing for phrasing in training_phrasings() if phrasing.plans is None or phrasing.text == words]
    composer = Composer(phrasings, facts, random.Random(0))
    kinds = {fact.file: fact.kind for fact in facts}
    planned = set()
    for record in (composer.conversation(str(number), pictured=True) for number in range(600)):
        if record.conversations[0]["value"] == f"{IMAGE}\n{words}":
            planned.add((kinds[record.images[0]], *(call["API_name"] for call in record.conversations[1]["actions"])))
    assert {("page", "read_text"), ("qr_code", "read_codes"), ("blank",)} <= planned
    assert len(planned) == len({kind for kind, *_ in planned})


def test_conversations_go_on_erase_ask_twice_and_point_at_pictures(records: list[Record]) -> None:
    turns = [[turn for _, turn in plans(record)] for record in records]
    called = [[[action.name for action in turn.actions or ()] for turn in spoken] for spoken in turns]
    for segmenting in ("segment_objects", "segment_region"):
        assert any(names[:2] == [[segmenting], ["inpaint_region"]] for names in called)
    assert any(len(set(names[0])) == 2 for names in called)
    assert any(names[0] == ["transform_image", "transform_image"] for names in called)
    assert any(len(names) >= 3 for names in called)
    images = {a.params.get("image") for spoken in turns for turn in spoken for a in turn.actions or ()}
    assert {"image_1", "image_2"} <= images


def test_a_drill_is_one_exchange(facts: list[PictureFact]) -> None:
    composer = Composer(training_phrasings(), facts, random.Random(0))
    for number in range(60):
        answer = composer.answer_drill(str(number))
        plan = composer.plan_drill(str(number))
        sight = composer.sight_drill(str(number))
        assert [len(record.conversations) for record in (answer, plan, sight)] == [2, 2, 2]
        assert " model outputs: " in answer.conversations[0]["value"]
        assert answer.conversations[1]["actions"] == []
        assert len(plan.conversations[1]["actions"]) == 1
        assert (sight.conversations[1]["actions"], len(sight.images)) == ([], 1)


@pytest.fixture(scope="module")
def pointing(facts: list[PictureFact]) -> list[Record]:
    """Records of the few skills whose calls say which picture is meant."""
    few = ("read_text", "transform_image", "segment_objects", "segment_region", "segment_by_example", "inpaint_region")
    phrasings = [phrasing for phrasing in training_phrasings() if phrasing.skill in (*few, None)]
    composer = Composer(phrasings, facts, random.Random(3))
    return [composer.conversation(f"mini-{number}", pictured=True) for number in range(4_000)]


def test_an_example_lies_in_the_picture_before_the_newest(pointing: list[Record]) -> None:
    seen = set()
    for record in pointing:
        pictures = 0
        for turn in record.conversations:
            pictures += turn["value"].count(IMAGE) + turn["value"].count("'pictures'")
            for action in turn.get("actions", ()):
                if action["API_name"] == "segment_by_example" and pictures > 1:
                    seen.add(pictures)
                    assert action["API_params"]["reference_image"] == f"image_{pictures - 1}"
    assert seen


def test_a_picture_that_is_pointed_at_is_the_one_that_is_read(facts: list[PictureFact], pointing: list[Record]) -> None:
    by_file = {fact.file: fact for fact in facts if fact.kind in ("page", "sign", "receipt", "screen")}
    pointed = 0
    given = [r for r in pointing if not any("'pictures'" in turn["value"] for turn in r.conversations)]  # none made
    for record in given:
        for plan, results in zip(record.conversations[1:], record.conversations[2:], strict=False):
            for action in plan.get("actions", ())[:1]:
                number = int(action["API_params"].get("image", "image_0").removeprefix("image_"))
                meant = by_file.get(record.images[number - 1]) if 0 < number <= len(record.images) else None
                if action["API_name"] == "read_text" and meant and "{'texts'" in results["value"]:
                    assert str(list(meant.texts)) in results["value"]
                    pointed += 1
    assert pointed
