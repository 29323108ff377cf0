"""Carries out ``llavaplus ask``: one turn of a conversation, told while it happens. Knows no option and no skill."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.cli import show
from llavaplus_graph.cli.files import Folder
from llavaplus_graph.cli.progress import Progress
from llavaplus_graph.cli.thread import opened_thread
from llavaplus_graph.cli.words import Asked
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph import create_llavaplus_graph, results_of
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skill_files import load_skill_file
from llavaplus_graph.skills import load_skills, prepare_skills
from llavaplus_graph.types import SkillFailure

ModelFactory = Callable[[Asked, ImageStore], BaseChatModel]
"""Makes the LMM that the user named, with the store."""


def run_ask(asked: Asked, *, make_model: ModelFactory | None = None, skills: Sequence[BaseTool] | None = None) -> None:
    """Asks, prints what happens and the answer, and writes the pictures.

    Args:
        asked: what the user typed.
        make_model: makes the LMM; by default `ChatLlavaPlus`.
        skills: what the LMM may call; by default every installed skill.

    Raises:
        PictureError: a picture cannot be used.
        ConfigError: there is neither a picture nor a conversation, or a folder or a skill file cannot be used.
        CheckpointError: the model directory cannot be opened.
    """
    store = ImageStore(asked.store) if asked.store else default_store()
    message = user_message(asked.question, images=asked.pictures, boxes=asked.boxes, points=asked.points, store=store)
    with ExitStack() as stack:
        thread = stack.enter_context(opened_thread(asked.thread)) if asked.thread is not None else None
        past = thread.past() if thread else {}
        if not asked.pictures and not past:
            raise ConfigError(_no_picture(asked))
        prefix = asked.thread or Path(asked.pictures[0]).stem
        folder = Folder(asked.save, prefix=prefix, turn=1 + _questions_in(past))
        turn = _Turn(asked, past)
        turn.progress.begin("loading the LMM and the skills")
        installed = load_skills(store=store) if skills is None else skills
        tools = [*installed, *(load_skill_file(path, store) for path in asked.skills)]
        prepare_skills(tools)
        model = (make_model or _chat_llava_plus)(asked, store)
        graph = create_llavaplus_graph(model, tools, store=store)
        app = graph.compile(checkpointer=thread.saver if thread else None)
        turn.take(app, message, thread.config if thread else None)
        turn.save(folder, store)
        turn.finish()


def _chat_llava_plus(asked: Asked, store: ImageStore) -> BaseChatModel:
    return ChatLlavaPlus(model=asked.model, base_url=asked.base_url, store=store).load()


def _no_picture(asked: Asked) -> str:
    if asked.thread is None:
        return (
            'there is no picture; give one before the question, for example: llavaplus ask sign.png "What does it say?"'
        )
    return f"there is no thread {asked.thread!r} yet; begin it with a picture before the question"


def _questions_in(past: dict[str, Any]) -> int:
    return sum(isinstance(message, HumanMessage) for message in past.get("messages", []))


class _Turn:
    """One question and what becomes of it, told as text while it happens or as JSON at the end."""

    def __init__(self, asked: Asked, past: dict[str, Any]) -> None:
        self.progress = Progress()
        self._asked = asked
        self._known = len(past.get("images", []))
        self._values: dict[str, Any] = {}
        self._rounds: list[show.Round] = []
        self._files: list[str] = []
        self._round = 0

    def take(self, app: Any, message: HumanMessage, config: RunnableConfig | None) -> None:
        """Runs the compiled graph and tells what happens."""
        for at, picture in enumerate(self._asked.pictures, self._known + 1):
            self._say(f"image_{at}   {picture}")
        self.progress.begin("planning")
        for mode, part in app.stream({"messages": [message]}, config, stream_mode=["updates", "values"]):
            if mode == "values":
                self._values = part
                continue
            for node, update in part.items():
                self._tell(node, update)
        self.progress.end()
        self._rounds = show.rounds_of(self._values["messages"])

    def save(self, folder: Folder, store: ImageStore) -> None:
        """Writes what the skills drew, marked or edited."""
        told = [result for rnd in self._rounds for result in rnd["results"]]
        for result, line in zip(results_of(self._values, store), told, strict=True):
            if not isinstance(result, SkillFailure) and (result.image or result.pictures):
                file = str(folder.write(result.draw(), line["skill"]))
                line["file"] = file
                self._files.append(file)

    def finish(self) -> None:
        """Says the answer and where the pictures are."""
        answer = show.answer_of(self._values["messages"][-1])
        if answer["problem"]:
            self.progress.note(f"a plan could not be used: {answer['problem']}")
        if self._asked.as_json:
            print(json.dumps(self._document(answer), ensure_ascii=False, indent=2))
            return
        self._say("\nanswer")
        if answer["thoughts"]:
            self._say(f"  thoughts  {answer['thoughts']}")
        self._say(f"  {answer['answer'] or '(the LMM gave no answer)'}")
        if self._files:
            self._say("\nfiles")
            for file in self._files:
                self._say(f"  {file}")

    def _tell(self, node: str, update: dict[str, Any]) -> None:
        messages = update.get("messages", [])
        if node in ("planner", "respond") and messages[-1].tool_calls:
            names = ", ".join(call["name"] for call in messages[-1].tool_calls)
            self.progress.begin(f"running {names}")
            self._round += 1
            self._say("\n".join([f"\nround {self._round}", *show.plan_lines(messages[-1])]))
        elif node == "aggregate":
            self.progress.begin("reading the results")
            for message in messages:
                self._say(show.result_line(message))

    def _say(self, text: str) -> None:
        if not self._asked.as_json:
            print(show.printable(text), flush=True)

    def _document(self, answer: show.Answer) -> dict[str, Any]:
        handles = self._values["images"][self._known :]
        pictures = [
            {"name": f"image_{at}", "file": file, "handle": handle}
            for at, (file, handle) in enumerate(zip(self._asked.pictures, handles, strict=False), self._known + 1)
        ]
        return {
            "question": self._asked.question,
            "thread": self._asked.thread,
            "pictures": pictures,
            "rounds": self._rounds,
            **answer,
            "files": self._files,
        }
