"""What holds for every skill, whatever it does and whoever made its backend."""

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from llavaplus_graph.skills import CATALOGUE, SkillInfo, skill_info
from llavaplus_graph.types import SkillFailure, parse_result
from llavaplus_tools import SKILLS
from tests.tools.test_standard import CASES, HANDLE, STORE

Factory = Callable[..., BaseTool]
PLAIN = (dict, list, str, int, float, bool, type(None))

SEEING = [factory for factory, info in zip(SKILLS, CATALOGUE, strict=True) if info.effect != "creates"]

each_skill = pytest.mark.parametrize("factory", SKILLS, ids=lambda factory: factory.__name__)


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights of the hub are here, and no collection is named."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("LLAVAPLUS_KNOWLEDGE", raising=False)


def info_of(tool: BaseTool) -> SkillInfo:
    info = skill_info(tool)
    assert info is not None
    return info


def called(tool: BaseTool, arguments: dict[str, Any]) -> ToolMessage:
    message = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": arguments})
    assert isinstance(message, ToolMessage)
    return message


def arguments_for(factory: Factory) -> dict[str, Any]:
    arguments = dict(CASES[factory].arguments)
    if "image" in factory(store=STORE).args:
        arguments["image"] = HANDLE
    return arguments


def parts(value: object) -> Iterator[object]:
    """A plain value and everything in it."""
    yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inside:
        yield from parts(part)


def test_every_skill_has_a_case_here_and_a_row_in_the_catalogue() -> None:
    assert set(CASES) == set(SKILLS)
    assert [factory(store=STORE).name for factory in SKILLS] == [info.name for info in CATALOGUE]


@each_skill
def test_the_model_is_told_what_it_does_and_what_every_argument_means(factory: Factory) -> None:
    tool = factory(store=STORE)
    assert len(tool.description) > 20
    for name, argument in tool.args.items():
        assert len(argument.get("description", "")) > 10, name
    json.dumps(tool.tool_call_schema.model_json_schema())  # type: ignore[union-attr]  # our schemas are models


@each_skill
def test_the_developer_is_told_what_every_parameter_means(factory: Factory) -> None:
    parameters = inspect.signature(factory).parameters
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert all(parameter.default is not inspect.Parameter.empty for parameter in parameters.values())
    documented = inspect.getdoc(factory) or ""
    assert [name for name in parameters if f"\n    {name}: " not in documented] == []


@each_skill
def test_the_arguments_of_its_row_are_those_of_its_schema(factory: Factory) -> None:
    tool = factory(store=STORE)
    assert set(info_of(tool).arguments) == set(tool.args) - {"image"}
    assert ("image" in tool.args) or info_of(tool).effect == "creates"


@each_skill
def test_its_row_travels_as_plain_json(factory: Factory) -> None:
    metadata = factory(store=STORE).metadata
    assert json.loads(json.dumps(metadata)) == metadata


@each_skill
def test_a_result_is_plain_validates_back_draws_itself_and_leaves_its_picture_alone(
    factory: Factory, request: pytest.FixtureRequest
) -> None:
    tool = factory(store=STORE, **CASES[factory].parameters(request.getfixturevalue))
    before = STORE.get(HANDLE).tobytes()
    message = called(tool, arguments_for(factory))
    result = parse_result(message.artifact)
    assert not isinstance(result, SkillFailure), message.content
    assert json.loads(str(message.content)) == result.content()
    assert result.model_dump(mode="json") == message.artifact
    # A subclass, such as numpy's float64 of float, is no plain value.
    assert {type(part) for part in parts(message.artifact)} <= set(PLAIN)
    assert ormsgpack.unpackb(ormsgpack.packb(message.artifact)) == message.artifact
    strict = JsonPlusSerializer(allowed_msgpack_modules=[])
    assert strict.loads_typed(strict.dumps_typed(message.artifact)) == message.artifact
    assert result.bound_to(STORE.get).draw().width > 0
    assert all(handle in STORE for handle in result.pictures)
    assert STORE.get(HANDLE).tobytes() == before


@pytest.mark.parametrize("factory", SEEING, ids=lambda factory: factory.__name__)
@pytest.mark.parametrize("image", ["img_00000000000000ff", "latest", "/etc/passwd", "https://example.com/a.png", ""])
def test_a_name_that_is_no_picture_is_a_sentence_for_the_model(factory: Factory, image: str) -> None:
    tool = factory(store=STORE)
    assert_told(called(tool, {**arguments_for(factory), "image": image}), tool.name)


@each_skill
def test_arguments_that_fit_no_schema_are_a_sentence_for_the_model(factory: Factory) -> None:
    tool = factory(store=STORE)
    for name in tool.args:
        assert_told(called(tool, {**arguments_for(factory), name: {"no": ["such", float("nan")]}}), tool.name)


@each_skill
def test_without_its_weights_it_says_how_to_get_them_or_works_offline(factory: Factory) -> None:
    tool = factory(store=STORE)
    info = info_of(tool)
    message = called(tool, arguments_for(factory))
    if info.offline and not info.needs:
        assert message.status == "success", message.content
        return
    told = assert_told(message, tool.name)
    if info.needs:
        assert info.needs.partition(": ")[2] in told
    elif info.extra is None:
        assert told == (
            f"{info.name} needs the weights {' and '.join(info.weights)}, which are not on this machine; "
            f"to fetch them run: llavaplus skills fetch {info.name}"
        )


def assert_told(message: ToolMessage, skill: str) -> str:
    """The sentence of a failure, which is safe for a model to read."""
    assert message.status == "error"
    failure = parse_result(message.artifact)
    assert isinstance(failure, SkillFailure)
    assert failure.skill == skill
    assert json.loads(str(message.content)) == {"error": failure.error}
    assert failure.error.isprintable()
    assert 10 < len(failure.error) <= 400
    assert "Traceback" not in failure.error
    return failure.error
