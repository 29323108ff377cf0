from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.data.curation.grammar import GrammarLabeller
from llavaplus_graph.data.curation.labeller import ModelLabeller, open_labeller
from llavaplus_graph.data.curation.labelling import Brief, Spent
from llavaplus_graph.data.curation.plan import Part
from llavaplus_graph.data.curation.spec import Spec, Task
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.testing import ScriptedLmm, plan

Write = Callable[..., Spec]

FACTORY = """
from llavaplus_graph.testing import ScriptedLmm

def make():
    return ScriptedLmm([])

def broken():
    raise ValueError("no licence")

number = int
"""


def test_the_offline_grammar_is_the_default(tmp_path: Path, write: Write) -> None:
    assert isinstance(open_labeller(write(), {}, tmp_path), GrammarLabeller)


def test_any_chat_model_labels_that_a_module_beside_the_spec_makes(tmp_path: Path, write: Write) -> None:
    (tmp_path / "labeller_of_this_test.py").write_text(FACTORY, "utf-8")
    labeller = open_labeller(write(labeller="labeller_of_this_test:make"), {}, tmp_path)
    assert isinstance(labeller, ModelLabeller)
    assert "ScriptedLmm" in labeller.name


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("no_such_module:make", "there is no labeller 'no_such_module:make': No module named"),
        ("json:make", "there is no labeller 'json:make'"),
        ("half_written:make", "'half_written:make' cannot be imported: SyntaxError"),
        ("json:JSONDecoder", "must give a LangChain chat model, not JSONDecoder"),
        ("json:loads", "'json:loads' cannot be made: TypeError"),
    ],
)
def test_a_labeller_that_is_none_is_told(tmp_path: Path, write: Write, path: str, complaint: str) -> None:
    (tmp_path / "half_written.py").write_text("def make(", "utf-8")
    with pytest.raises(ConfigError, match=complaint):
        open_labeller(write(labeller=path), {}, tmp_path)


def test_a_key_that_is_missing_is_named(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WRITER_KEY", raising=False)
    with pytest.raises(ConfigError, match="needs a key: set the environment variable WRITER_KEY"):
        open_labeller(write(labeller={"model": "gpt", "api_key_env": "WRITER_KEY"}), {}, tmp_path)


def said(name: str, **arguments: Any) -> Any:
    return plan({"name": name, "args": arguments, "id": "1", "type": "tool_call"})


def test_a_question_and_a_truth_of_the_context_need_no_labeller(tmp_path: Path, write: Write) -> None:
    lmm = ScriptedLmm([])
    task = Task(name="facts", kind="knowledge", skills=("retrieve_knowledge",))
    context = ImageContext(image="a.png", question="Who built this bridge?", answer="Eiffel")
    labeller = open_labeller(write(), {}, tmp_path, lmm)
    wish = labeller.ask(Brief(Part(task, "way", 0), context, (), "seed"), Spent())
    assert (wish.text, lmm.requests) == ("Who built this bridge?", [])


def test_examples_of_the_spec_are_shown_as_the_labellers_own(tmp_path: Path, write: Write) -> None:
    example = {"context": {"captions": ["A cat."]}, "question": "What is it?", "answer": "A cat."}
    task = Task.model_validate({"name": "talk", "kind": "chat", "examples": [example], "about": "Be kind."})
    lmm = ScriptedLmm(
        [said("QuestionReply", question="Is it warm?"), said("AnswerReply", answerable=True, answer=" Yes. ")]
    )
    labeller = open_labeller(write(), {}, tmp_path, lmm)
    brief = Brief(Part(task, "as a shout", 2), ImageContext(image="a.png", captions=("A sun.",)), (), "seed")
    wish = labeller.ask(brief, Spent())
    assert labeller.tell(brief, wish, [], Spent()) == "Yes."
    asked, told = ([(m.type, m.text) for m in request.messages] for request in lmm.requests)
    assert "as a shout" in asked[0][1]
    assert "Be kind." in asked[0][1]
    assert asked[1:3] == [("human", "A cat."), ("ai", '{"question": "What is it?"}')]
    assert asked[3] == ("human", "A sun.\n\nWrite another message than the 2 before.")
    assert told[-1] == ("human", "A sun.\n\nMessage: Is it warm?")
    assert told[2] == ("ai", '{"answerable": true, "answer": "A cat."}')
