import json
from base64 import b64encode
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.generation import Sampling
from llavaplus_graph.testing import ChatServer, ScriptedEngine, listening

SPEAKS = Dialect(template="v1", system="", names="skills")
HELLO = [{"role": "user", "content": "Hello."}]


def picture() -> dict[str, Any]:
    buffer = BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    url = f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def test_it_shows_the_engine_the_prompt_of_the_dialect_and_the_pictures() -> None:
    prompts: list[str] = []
    engine = ScriptedEngine(lambda prompt, grammar: prompts.append(prompt) or "Yes.")  # type: ignore[func-returns-value]
    talk = [{"role": "user", "content": [picture(), {"type": "text", "text": "Is it?"}]}]
    with listening(ChatServer(engine, SPEAKS)) as address:
        answer = httpx.post(f"{address}/v1/chat/completions", json={"model": "llavaplus", "messages": talk}).json()
    assert answer["choices"][0]["message"]["content"] == "Yes."
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert (prompts, engine.pictures) == (["USER: <image>\nIs it? ASSISTANT:"], [1])


def test_a_stream_is_made_of_events_and_ends_with_what_it_cost() -> None:
    body = {"model": "llavaplus", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    with listening(ChatServer(ScriptedEngine(lambda prompt, grammar: "Hello there."), SPEAKS)) as address:
        response = httpx.post(f"{address}/v1/chat/completions", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    *data, end = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    events = [json.loads(event) for event in data]
    said = [choice["delta"].get("content", "") for event in events for choice in event["choices"]]
    assert ("".join(said), end) == ("Hello there.", "[DONE]")
    assert events[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}


def test_it_names_its_model_and_refuses_others_and_wrong_keys_and_paths() -> None:
    server = ChatServer(ScriptedEngine(lambda prompt, grammar: ""), SPEAKS, name="lmm", api_key="key")
    with (
        listening(server) as address,
        httpx.Client(base_url=address, headers={"Authorization": "Bearer key"}) as client,
    ):
        assert client.get("/v1/models").json()["data"][0]["id"] == "lmm"
        assert client.get("/v1/nowhere").status_code == 404
        refused = client.post("/v1/chat/completions", json={"model": "other", "messages": HELLO})
        assert (refused.status_code, refused.json()["error"]["message"]) == (404, "The model `other` does not exist.")
        assert httpx.get(f"{address}/v1/models").status_code == 401


def test_a_picture_by_address_is_refused() -> None:
    part = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}}
    body = {"model": "llavaplus", "messages": [{"role": "user", "content": [part]}]}
    with listening(ChatServer(ScriptedEngine(lambda prompt, grammar: ""), SPEAKS)) as address:
        refused = httpx.post(f"{address}/v1/chat/completions", json=body)
    assert refused.status_code == 400
    assert "is not a data URI" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("sampling", "said", "reason"),
    [
        (Sampling(), "One two three.", "stop"),
        (Sampling(stop=("two", "three")), "One ", "stop"),
        (Sampling(max_tokens=2), "One two ", "length"),
    ],
)
def test_a_script_is_said_up_to_a_stop_or_a_limit(sampling: Sampling, said: str, reason: str) -> None:
    pieces = list(ScriptedEngine(lambda prompt, grammar: "One two three.").generate("Q", [], sampling))
    assert ("".join(piece.text for piece in pieces), pieces[-1].finish_reason) == (said, reason)
