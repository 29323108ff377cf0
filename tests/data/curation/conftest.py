import asyncio
import json
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image, ImageDraw

from llavaplus_graph.data.curation.spec import Spec, load_spec
from llavaplus_graph.testing import listening
from llavaplus_graph.testing.serving import Receive, Scope, Send, respond

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "yellow": (230, 220, 20)}

SKILL = '''
from langchain_core.tools import BaseTool
from PIL import ImageChops, Image
from pydantic import Field
from llavaplus_graph.skills import PictureArguments, SkillInfo, make_skill, picture_of
from llavaplus_graph.types import Detections

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "yellow": (230, 220, 20)}

class Arguments(PictureArguments):
    query: str = Field(description="The colour to look for.")

def find_colour(*, store=None) -> BaseTool:
    def run(image, query):
        """Find what has a colour, as a box."""
        handle, picture = picture_of(image, store)
        away = ImageChops.difference(picture, Image.new("RGB", picture.size, COLOURS.get(query.lower(), (1, 2, 3))))
        box = away.convert("L").point(lambda level: 255 * (level == 0)).getbbox()
        if box is None:
            return Detections(image=handle, boxes=(), scores=(), labels=())
        sides = (picture.width, picture.height) * 2
        found = tuple(corner / side for corner, side in zip(box, sides))
        return Detections(image=handle, boxes=(found,), scores=(0.9,), labels=(query,))
    return make_skill(run, SkillInfo("find_colour", ("colour-finder",)), Arguments)
'''

PHRASINGS = """
skill: find_colour
answers: ["It is at {boxes}."]
families:
  - name: where
    phrasings: ["Where is the [{thing}] thing?", "Show me the [{thing}] one", "Please point out whatever is [{thing}]"]
  - name: whether
    phrasings: ["Is anything [{thing}] in it?", "Can you see a [{thing}] patch?", "Does it hold something [{thing}]?"]
  - name: wish
    phrasings: ["I lost my [{thing}] card, find it", "My friend hid a [{thing}] square somewhere in this"]
"""

Write = Callable[..., Spec]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a spec of one task about a skill file and six pictures with two coloured squares each, and reads it."""
    rng = random.Random(7)
    lines = []
    for number in range(6):
        picture, objects = Image.new("RGB", (80, 60), "white"), []
        for place, name in enumerate(rng.sample(list(COLOURS), 2)):
            corners = (5 + 40 * place, 10, 30 + 40 * place, 40)
            ImageDraw.Draw(picture).rectangle(corners, COLOURS[name])
            objects.append({"name": name, "box": [corners[0], 10, corners[2] + 1, 41]})
        picture.save(tmp_path / f"{number}.png")
        said = f"A {objects[0]['name']} square beside a {objects[1]['name']} one."
        lines.append({"image": f"{number}.png", "width": 80, "height": 60, "captions": [said], "objects": objects})
    (tmp_path / "contexts.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    (tmp_path / "find_colour.py").write_text(SKILL, "utf-8")
    (tmp_path / "phrasings.yaml").write_text(PHRASINGS, "utf-8")

    def written(**changes: Any) -> Spec:
        task = {"name": "find", "kind": "arguments", "skills": ["find_colour.py"], "records": 10}
        body = {
            "kind": "skills",
            "out": "out",
            "images": {"folders": ["."], "contexts": "contexts.jsonl"},
            "held_out": 0.3,
            "tasks": [{**task, "phrasings": "phrasings.yaml"}],
            **changes,
        }
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(body), "utf-8")
        return load_spec(tmp_path / "spec.yaml")

    return written


class LoopbackLabeller:
    """An OpenAI-compatible server on this machine that replies what a script says.

    Attributes:
        script: Gets the body of a request; gives the text of a reply, or a status other than 200.
        bodies: What it was asked, oldest first.
        delay: Seconds that every reply takes.
        together: The most requests that were open at the same time.
    """

    def __init__(self) -> None:
        self.script: Callable[[dict[str, Any]], str | int | dict[str, Any]] = plain
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.together = 0
        self.url = ""
        self.delay = 0.0
        self._open = 0
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        asked = json.loads(body)
        with self._lock:
            self.bodies.append(asked)
            self.keys.add(dict(scope["headers"]).get(b"authorization", b"").decode())
            self._open += 1
            self.together = max(self.together, self._open)
        said = self.script(asked)
        await asyncio.sleep(self.delay)
        with self._lock:
            self._open -= 1
        if isinstance(said, int):
            await respond(send, said, {"error": {"message": f"status {said}", "type": "x", "code": None}})
            return
        message = said if isinstance(said, dict) else {"content": said}
        choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": asked["model"]}
        await respond(send, 200, {**reply, "choices": [choice], "usage": usage})


def plain(body: dict[str, Any]) -> str:
    """Ask for the first thing that is listed, in words that depend on the way of asking; answer with the box."""
    told = body["messages"][-1]["content"]
    if "Result:" in told:
        found = json.loads(told.rpartition("Result: ")[2])
        if not found["boxes"]:
            return json.dumps({"answerable": True, "answer": "No, nothing here has that colour."})
        return json.dumps({"answerable": True, "answer": f"Yes, there is one, at {found['boxes'][0]}."})
    absent = told.partition("The message asks for: ")[2].partition(".")[0]
    thing = absent or next(line.partition(":")[0] for line in told.splitlines() if ": [" in line)
    way = random.Random(json.dumps(body["messages"])).choices("abcdefghijklmnopqrstuvwxyz", k=12)
    words = " ".join("".join(way[start : start + 3]) for start in range(0, 12, 3))
    return json.dumps({"question": f"Where is the {thing} thing in this picture {words}?", "first": {"query": thing}})


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackLabeller]:
    """A labeller on this machine."""
    server = LoopbackLabeller()
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with listening(server) as address:
        server.url = f"{address}/v1"
        yield server
