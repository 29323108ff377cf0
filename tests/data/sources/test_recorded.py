from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from PIL import Image

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.data.record import Record
from llavaplus_graph.data.sources.recorded import record_of
from llavaplus_graph.errors import DataError
from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.types import Tags


def test_a_conversation_of_the_graph_becomes_a_record(tmp_path: Path) -> None:
    store = ImageStore(str(tmp_path))
    skill = scripted_skill("tag_image", Tags(tags=("cup",), scores=(0.9,)))
    lmm = ScriptedLmm([call("tag_image"), "I see cup."])
    asked = user_message("What is in it?", images=[Image.new("RGB", (8, 8))], store=store)
    out = create_llavaplus_graph(lmm, [skill], store=store).compile().invoke({"messages": [asked]})
    record = record_of(out["messages"], "talk-1")
    assert record.images == (asked.content[0]["file_id"],)  # type: ignore[index]  # the first block is the picture
    assert [turn["from"] for turn in record.conversations] == ["human", "gpt", "human", "gpt"]
    assert record.conversations[1]["actions"][0]["API_name"] == "tag_image"
    assert "'tags': 'cup'" in record.conversations[2]["value"]
    assert record.conversations[3]["value"] == "I see cup."
    assert Record.from_json(record.to_json()).turns() == record.turns()


def test_a_conversation_without_an_answer_is_no_record() -> None:
    with pytest.raises(DataError, match="ends with an answer"):
        record_of([HumanMessage("Hello")], "talk-1")
    with pytest.raises(DataError, match="ends with an answer"):
        record_of([HumanMessage("Hello"), call("tag_image")], "talk-1")
