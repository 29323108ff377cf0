"""LangChain's own suites. The LMM has learnt by heart what theirs want decided or copied; the rest is decoding."""

from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests, chat_models
from langchain_tests.unit_tests import ChatModelUnitTests
from PIL import Image

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.protocol import Action, Turn, render_observation, render_turn

WEATHER = "What is the weather in San Francisco, CA?"
GET_WEATHER = Turn("Hm.", (Action("get_weather", {"location": "CA"}),), "Wait.")
SUNNY = render_observation([("get_weather", {"message": "It's sunny."})], WEATHER)
JOKE = {"setup": "Who?", "punchline": "Me."}


def plan(name: str, **params: Any) -> Turn:
    return Turn("Hm.", (Action(name, params),), "Wait.")


def customer(name: str) -> Turn:
    return plan("unicode_customer", customer_name=name, description="")


ASKED: list[tuple[str, Turn]] = [
    ("Hello", Turn("Hm.", (), "Hi.")),
    ("Hello!", plan("magic_function", input=3)),
    ("What is the value of magic_function(3)? Use the tool.", plan("magic_function", input=3)),
    ("What is the value of magic_function_no_args()? Use the tool.", plan("magic_function_no_args")),
    ("Using the tool, generate a Pirate greeting.", plan("greeting_generator", answer_style="Pirate")),
    ("Tell me a joke about cats.", plan("Joke", **JOKE)),
    ("Tell me a joke about cats.", plan("JokeDict", **JOKE)),
    ("Give me the setup to a joke about cats, no punchline.", plan("Joke", setup="Who?")),
    ("Give me a joke about cats, include the punchline.", plan("Joke", **JOKE)),
    ("Create a customer named '你好啊集团' (Hello Group) - a Chinese technology company", customer("你好")),
    ("Create a customer named 'こんにちは株式会社' (Hello Corporation) - a Japanese company", customer("こん")),
    (WEATHER, GET_WEATHER),
]


@pytest.fixture(scope="session")
def prepared(school: Callable[[Sequence[Any]], Path]) -> Path:
    lessons: list[Any] = [([("human", question)], turn) for question, turn in ASKED]
    history = [("human", WEATHER), ("gpt", render_turn(GET_WEATHER)), ("human", SUNNY)]
    return school([*lessons, (history, Turn("Hm.", (), "It's sunny."))])


@pytest.fixture(scope="module")
def picture() -> Iterator[str]:
    """The address of a PNG on this machine."""
    buffer = BytesIO()
    Image.new("RGB", (40, 30), "green").save(buffer, "PNG")

    class Picture(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(buffer.getvalue())

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Picture) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/picture.png"
        server.shutdown()


class TestUnit(ChatModelUnitTests):
    @pytest.fixture(autouse=True)
    def _checkpoint(self, taught: Path) -> None:
        self.directory = str(taught)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatLlavaPlus

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self.directory}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True


class TestIntegration(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _checkpoint(self, prepared: Path) -> None:
        self.directory = str(prepared)

    @pytest.fixture(autouse=True)
    def _loopback(self, picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The suite fetches its picture from the network; here it comes from this machine."""
        here = SimpleNamespace(get=lambda url, **kwargs: httpx.get(picture, **kwargs))
        monkeypatch.setattr(chat_models, "httpx", here)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatLlavaPlus

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self.directory}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True
