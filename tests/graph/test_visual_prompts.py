"""What the user draws reaches a skill: through the words of the protocol, which the LMM copies."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.graph import create_llavaplus_graph, results_of
from llavaplus_graph.images import ImageStore
from llavaplus_graph.samples import sample
from llavaplus_graph.skills import load_skills
from llavaplus_graph.testing import ScriptedLmm, call
from llavaplus_graph.types import Masks

BALL = (0.53, 0.5, 0.79, 0.86)
CIRCLED = [(0.52, 0.49), (0.8, 0.49), (0.8, 0.87), (0.52, 0.87), (0.52, 0.5)]
CROSSED = [(0.58, 0.68), (0.74, 0.68)]


def copying(messages: list[BaseMessage]) -> AIMessage:
    """A plan that copies what the user marked, as the LMM has learned it."""
    _, _, marks = messages[-1].text.partition("\nThe input ")
    kind, _, numbers = marks.partition(" are: ")
    return call("segment_region", **{kind: json.loads(numbers)})


@pytest.mark.parametrize("scribble", [CROSSED, CIRCLED], ids=["a line across it", "a loop around it"])
def test_what_is_scribbled_on_is_cut_out(scribble: Any, tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    lmm = ScriptedLmm([copying, "There."])
    app = create_llavaplus_graph(lmm, load_skills(only=["segment_region"], store=store), store=store).compile()
    asked = user_message("Cut out what I marked.", images=[sample("objects")], scribble=scribble, store=store)
    (result,) = results_of(app.invoke({"messages": [asked]}), store)
    assert isinstance(result, Masks)
    assert result.masks[0].box == pytest.approx(BALL, abs=0.05)
