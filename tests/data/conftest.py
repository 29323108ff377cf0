from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

from llavaplus_graph.data.conversations import PictureFact
from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.images import ImageStore
from llavaplus_tools import SKILLS

Complaint = Callable[[str, Mapping[str, Any]], str]


@pytest.fixture(scope="session")
def tools() -> dict[str, BaseTool]:
    store = ImageStore("memory://training-data")
    return {tool.name: tool for tool in (factory(store=store) for factory in SKILLS)}


@pytest.fixture(scope="session")
def complaint(tools: dict[str, BaseTool]) -> Complaint:
    """Says what is wrong with a call for the installed skill; empty when it would be taken.

    The schemas ignore what they do not know, and a training action must not hold such arguments.
    """

    def judge(name: str, args: Mapping[str, Any]) -> str:
        schema = tools[name].args_schema
        assert isinstance(schema, type)
        assert issubclass(schema, BaseModel)
        unknown = args.keys() - schema.model_fields.keys()
        if unknown:
            return f"{name} takes no {', '.join(unknown)}"
        try:
            schema.model_validate(dict(args))
        except ValidationError as error:
            return f"{name} {dict(args)}: {error.errors(include_url=False)[0]['msg']}"
        return ""

    return judge


@pytest.fixture(scope="session")
def facts() -> list[PictureFact]:
    """Pictures as curation knows them, two a kind; nothing is rendered."""
    return list(_facts())


def _facts() -> Iterator[PictureFact]:
    for kind in PICTURE_KINDS:
        for number, lines in enumerate([("WET FLOOR", "Gate 7"), ("Café  12.50 €",)]):
            texts = () if kind in ("scene", "photograph", "blank") else lines
            yield PictureFact(f"pictures/{kind}/{number:05d}.jpg", kind, texts)
