"""What the graph itself costs per turn, beside LangChain's `create_agent` with the same model and the same skills.

The model replies at once and the skills do nothing, so that only the frameworks are measured. Rounds of both take
turns; the table shows the fastest round, the middle one, and the processor time that all threads took in the middle
round, which a busy machine disturbs least. Run from the repository's root:

    python -m tests.benchmarks.framework_time [--rounds 200]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import scripted_skill
from llavaplus_graph.types import Tags

Turn = Callable[[], object]
STORE = ImageStore("memory://framework-time")


class InstantLmm(BaseChatModel):
    """Calls every skill once, then answers; takes no time."""

    reads_handles: bool = True

    @property
    def _llm_type(self) -> str:
        return "instant"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Remember the names."""
        return self.bind(names=[tool.name for tool in tools], tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        calls = []
        if isinstance(messages[-1], HumanMessage):
            calls = [ToolCall(type="tool_call", name=name, args={}, id=f"call_{name}") for name in kwargs["names"]]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("" if calls else "Done.", tool_calls=calls))])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print(f"{'':18} {'create_agent':>27} {'llavaplus_graph':>27} {'ratio':>20}")
    print(f"{'skills checkpoints':18}" + f" {'fastest / middle / CPU ms':>27}" * 2 + f" {'fast / middle / CPU':>20}")
    for skills, kept in [(1, False), (4, False), (1, True), (4, True)]:
        theirs, ours = compared(agent_turn(skills, kept=kept), graph_turn(skills, kept=kept), rounds)
        ratios = " / ".join(f"{our / their:.2f}" for our, their in zip(ours, theirs, strict=True))
        print(f"{skills:6} {'memory' if kept else 'none':>11} {_times(theirs)} {_times(ours)} {ratios:>20}")


def compared(one: Turn, other: Turn, rounds: int) -> tuple[list[float], list[float]]:
    """Time two ways of doing a turn, by turns; gives fastest, middle and middle processor time, milliseconds."""
    times: dict[Turn, list[tuple[float, float]]] = {one: [], other: []}
    for index in range(rounds + 5):
        for turn, column in times.items():
            began, busy = time.perf_counter(), time.process_time()
            turn()
            if index >= 5:  # the first ones warm up
                column.append(((time.perf_counter() - began) * 1e3, (time.process_time() - busy) * 1e3))
    return _summary(times[one]), _summary(times[other])


def _summary(rounds: Sequence[tuple[float, float]]) -> list[float]:
    wall, busy = zip(*rounds, strict=True)
    return [min(wall), statistics.median(wall), statistics.median(busy)]


def agent_turn(skills: int, *, kept: bool = False) -> Turn:
    """A turn of `create_agent`."""
    return _turn(create_agent(InstantLmm(), _skills(skills), checkpointer=InMemorySaver() if kept else None))


def graph_turn(skills: int, *, kept: bool = False) -> Turn:
    """A turn of the graph."""
    graph = create_llavaplus_graph(InstantLmm(), _skills(skills), store=STORE)
    return _turn(graph.compile(checkpointer=InMemorySaver() if kept else None))


def _turn(app: Any) -> Turn:
    """A question about a picture, in a thread of its own; both get the same message."""
    threads = iter(range(1_000_000))
    picture = {"type": "image", "file_id": STORE.put(Image.new("RGB", (8, 8)))}
    message = HumanMessage([picture, {"type": "text", "text": "What is it?"}])

    def turn() -> None:
        out = app.invoke({"messages": [message]}, {"configurable": {"thread_id": str(next(threads))}})
        if out["messages"][-1].text != "Done.":
            raise RuntimeError(f"the turn ended with {out['messages'][-1].text!r}, not with the answer")

    return turn


def _skills(count: int) -> list[BaseTool]:
    return [scripted_skill(f"skill_{index}", Tags(tags=("cup",), scores=(1.0,))) for index in range(count)]


def _times(milliseconds: Sequence[float]) -> str:
    return f"{' / '.join(f'{each:.2f}' for each in milliseconds):>27}"


if __name__ == "__main__":
    main()
