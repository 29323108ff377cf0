"""What is trained is what is sent: the tokens of a record are those of the prompt that the chat model writes."""

from typing import Literal

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from PIL import Image

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.chat_model.messages import read_messages
from llavaplus_graph.data.collate import tokenize
from llavaplus_graph.data.sources.recorded import record_of
from llavaplus_graph.images import ImageStore

CALL = {"name": "detect_objects", "args": {"query": "cup"}, "id": "call_1", "type": "tool_call"}


def talk(store: ImageStore) -> list[BaseMessage]:
    return [
        user_message("Where is the  cup?", images=[Image.new("RGB", (40, 30), "white")], store=store),
        AIMessage("Please wait.", tool_calls=[CALL], additional_kwargs={"reasoning_content": "I need it."}),
        ToolMessage('{"boxes": [[0.1, 0.25, 0.5, 1.0]]}', tool_call_id="call_1", name="detect_objects"),
        AIMessage("It is on the left.", additional_kwargs={"reasoning_content": "Thanks."}),
        user_message("½ thx", store=store),
        AIMessage("You are welcome."),
    ]


@pytest.mark.parametrize("template", ["v0", "v1"])
@pytest.mark.parametrize("system", ["", None], ids=["bare", "published"])
def test_every_prompt_of_a_conversation_is_the_beginning_of_its_sample(
    template: Literal["v0", "v1"], system: str | None
) -> None:
    store = ImageStore("memory://collate")
    messages = talk(store)
    opened = open_checkpoint(None)
    dialect = Dialect(template=template, names="skills", system=system)
    engine = TransformersEngine(opened.model, opened.processor)
    seats = int(opened.model.config.image_seq_length)
    sample = tokenize(record_of(messages, "r"), opened.processor.tokenizer, dialect.conversation, seats)
    for asked in (1, 3, 5):
        dialogue = read_messages(messages[:asked], dialect)
        prompt = dialect.conversation.render(dialogue.turns)
        sent, _, _ = engine._read(prompt, [store.get(str(handle)) for handle in dialogue.pictures])
        assert list(sample.ids[: len(sent)]) == sent
        assert not sample.trained[len(sent) - 1]
        assert sample.trained[len(sent)]
