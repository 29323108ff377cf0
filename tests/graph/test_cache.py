import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.cache.memory import InMemoryCache
from PIL import Image
from pydantic import BaseModel

from llavaplus_graph.errors import SkillError
from llavaplus_graph.graph.cache import ResultCache, cache_key
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.graph.state import Artifact, Task, Update
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import SkillInfo, make_skill
from llavaplus_graph.testing import call
from llavaplus_graph.types import Pictures, SkillResult, Tags

HANDLES = ["img_00000000000000a1", "img_00000000000000b2"]


class _Looks(BaseModel):
    """Looks."""

    image: str = "latest"
    query: str = "cup"
    threshold: float = 0.5


class Counting:
    """A skill that counts how often it is run, behind a cache."""

    def __init__(
        self,
        info: SkillInfo,
        result: SkillResult | Exception,
        store: ImageStore | None = None,
        cache: InMemoryCache[Artifact] | None = None,
    ) -> None:
        self.runs = 0

        def look(**_: Any) -> SkillResult:
            """Look."""
            self.runs += 1
            if isinstance(result, Exception):
                raise result
            return result

        known = ResultCache(cache or InMemoryCache(), store or ImageStore("memory://cache"))
        self.executor = Executor([make_skill(look, info, _Looks)], cache=known)

    def ask(self, *, id: str = "c1", asynchronously: bool = False, **arguments: Any) -> Update:  # noqa: A002
        planned = call("look", id=id, **arguments).tool_calls[0]
        task: Task = {"call": planned, "images": HANDLES, "masks": None}
        return asyncio.run(self.executor.aexecute(task)) if asynchronously else self.executor.execute(task)


LOOK = SkillInfo("look")
SEEN = Tags(tags=("cup",), scores=(1.0,))


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_the_same_question_is_answered_once_under_the_id_of_every_call(asynchronously: bool) -> None:
    skill = Counting(LOOK, SEEN)
    first = skill.ask(id="c1", asynchronously=asynchronously)
    again = skill.ask(id="c2", image="image_2", threshold=0.5, asynchronously=asynchronously)
    assert skill.runs == 1
    assert again["results"] == {"c2": first["results"]["c1"]}


@pytest.mark.parametrize("other", [{"image": "image_1"}, {"query": "dog"}, {"threshold": 0.6}])
def test_another_picture_or_argument_is_another_question(other: dict[str, Any]) -> None:
    skill = Counting(LOOK, SEEN)
    skill.ask()
    skill.ask(**other)
    assert skill.runs == 2


def test_failures_are_not_kept() -> None:
    skill = Counting(LOOK, SkillError("the camera is asleep"))
    assert skill.ask() == skill.ask()
    assert skill.runs == 2


def test_wrong_arguments_are_told_as_ever() -> None:
    result = Counting(LOOK, SEEN).ask(threshold="high")["results"]["c1"]
    assert "threshold" in result["error"]


def test_a_picture_that_has_gone_is_made_again(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    made = store.put(Image.new("RGB", (8, 8), "red"))
    info = SkillInfo("look", effect="changes", repeatable=True)
    skill = Counting(info, Pictures(handles=(made,), message="Done."), store)
    skill.ask()
    skill.ask()
    assert skill.runs == 1
    store.collect(set(), max_bytes=0)
    skill.ask()
    assert skill.runs == 2


@pytest.mark.parametrize(
    ("info", "arguments", "kept"),
    [
        pytest.param(SkillInfo("look"), {}, True, id="reads"),
        pytest.param(SkillInfo("look", repeatable=False), {}, False, id="reads-what-changes"),
        pytest.param(SkillInfo("look", effect="creates"), {}, False, id="creates"),
        pytest.param(SkillInfo("look", effect="creates"), {"seed": 3}, True, id="creates-from-a-seed"),
        pytest.param(SkillInfo("look", effect="changes", repeatable=True), {}, True, id="declared"),
        pytest.param(None, {}, False, id="no-skill-of-ours"),
    ],
)
def test_only_what_repeats_is_kept(info: SkillInfo | None, arguments: dict[str, Any], kept: bool) -> None:
    tool = make_skill(lambda **_: SEEN, LOOK, _Looks, description="Look.")
    assert (cache_key(tool, info, arguments) is not None) is kept


def test_another_version_of_a_skill_finds_everything_anew() -> None:
    tool = make_skill(lambda **_: SEEN, LOOK, _Looks, description="Look.")
    assert cache_key(tool, SkillInfo("look", version="1"), {}) != cache_key(tool, SkillInfo("look", version="2"), {})


class _Broken(InMemoryCache[Artifact]):
    """Holds what is no result, or cannot be reached at all."""

    def __init__(self, *, holds: Any = None) -> None:
        super().__init__()
        self.holds = holds

    def get(self, keys: Any) -> dict[Any, Any]:
        if self.holds is None:
            raise ConnectionError("nobody answers")
        return dict.fromkeys(keys, self.holds)

    def set(self, pairs: Any) -> None:
        raise ConnectionError("nobody answers")


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("holds", [None, {"kind": "unknown"}, {"kind": "tags"}, "words"])
def test_a_cache_that_is_no_help_does_no_harm(holds: Any, asynchronously: bool) -> None:
    skill = Counting(LOOK, SEEN, cache=_Broken(holds=holds))
    assert skill.ask(asynchronously=asynchronously)["results"]["c1"]["kind"] == "tags"
    assert skill.runs == 1
