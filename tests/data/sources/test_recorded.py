from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from PIL import Image

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.data.record import Record
from llavaplus_graph.data.sources.recorded import record_of, write_recorded
from llavaplus_graph.data.sources.released import read_released
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


def test_good_conversations_are_written_with_their_pictures_ready_for_training(tmp_path: Path) -> None:
    store = ImageStore(str(tmp_path / "store"))
    asked = user_message("What is in it?", images=[Image.new("RGB", (8, 8), "red")], store=store)
    inline = user_message("And here?", images=[Image.new("RGB", (8, 8), "blue")], inline=True)
    good, pixels = [asked, AIMessage("A red square.")], [inline, AIMessage("A blue one.")]
    tally = write_recorded([("a", good), ("b", [asked]), ("c", pixels)], tmp_path / "out", store=store)
    assert (tally.kept, tally.examples) == (
        2,
        {"Only a conversation that ends with an answer becomes a record.": "b"},
    )
    first, second = read_released(tmp_path / "out" / "records.jsonl", images=[tmp_path / "out"])
    assert Image.open(tmp_path / "out" / first.images[0]).getpixel((0, 0)) == (255, 0, 0)
    assert Image.open(tmp_path / "out" / second.images[0]).getpixel((0, 0)) == (0, 0, 255)
    assert first.conversations[0]["value"] == "<image>\nWhat is in it?"


def test_a_picture_that_the_store_has_lost_is_counted(tmp_path: Path) -> None:
    asked = user_message("What is in it?", images=[Image.new("RGB", (8, 8))], store=ImageStore(str(tmp_path / "a")))
    tally = write_recorded([("a", [asked, AIMessage("Black.")])], tmp_path / "out", store=ImageStore(tmp_path / "b"))
    ((reason, count),) = tally.dropped.items()
    assert "holds no picture" in reason
    assert (tally.kept, count) == (0, 1)
