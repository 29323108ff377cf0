from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from llavaplus_tools.arguments import (
    PointArguments,
    PromptArguments,
    QueryArguments,
    in_list,
    labels_in_groups,
    points_in_groups,
)


def _rounded(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(round(number, 6) for number in value)


@pytest.mark.parametrize(
    ("schema", "given", "understood"),
    [
        (QueryArguments, {"query": "cup"}, {"query": "cup"}),
        (QueryArguments, {"caption": "cup . fork"}, {"query": "cup . fork"}),
        (QueryArguments, {"query": "cup", "caption": "fork"}, {"query": "cup"}),
        (QueryArguments, {"query": {"caption": "cup"}}, {"query": "cup"}),
        (PromptArguments, {"prompt": "a boat"}, {"prompt": "a boat"}),
        (PromptArguments, {"prompt": {"caption": "a boat"}}, {"prompt": "a boat"}),
        (PromptArguments, {"caption": "a boat"}, {"prompt": "a boat"}),
        (PointArguments, {"point": [0.5, 0.32]}, {"point": (0.5, 0.32)}),
        (PointArguments, {"point": [[0.5, 0.32]]}, {"point": (0.5, 0.32)}),
        (PointArguments, {"point": "[0.5, 0.32]"}, {"point": (0.5, 0.32)}),
        (PointArguments, {"points": [[0.5, 0.32]]}, {"point": (0.5, 0.32)}),
        (PointArguments, {"boxes": [[0.2, 0.4, 0.4, 0.8]]}, {"point": (0.3, 0.6)}),
        (PointArguments, {"boxes": [0.2, 0.4, 0.4, 0.8], "point": [0.1, 0.1]}, {"point": (0.1, 0.1)}),
    ],
    ids=str,
)
def test_the_forms_of_the_original_are_understood(
    schema: type[BaseModel], given: dict[str, Any], understood: dict[str, Any]
) -> None:
    arguments = schema.model_validate(given).model_dump(include=set(understood))
    assert {name: _rounded(value) for name, value in arguments.items()} == understood


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        (QueryArguments, {}),
        (QueryArguments, {"query": ""}),
        (QueryArguments, {"query": ["cup"]}),
        (QueryArguments, {"query": "x" * 2_001}),
        (QueryArguments, "cup"),
        (PromptArguments, {"prompt": {"text": "a boat"}}),
        (PointArguments, {}),
        (PointArguments, {"point": [1.5, 0.5]}),
        (PointArguments, {"point": [float("nan"), 0.5]}),
        (PointArguments, {"point": [[0.1, 0.2], [0.3, 0.4]]}),
        (PointArguments, {"boxes": [[0.4, 0.4, float("nan"), 0.8]]}),
        (PointArguments, {"boxes": [[0.4, 0.4]]}),
        (PointArguments, {"boxes": "here"}),
        (PointArguments, {"point": "[0.5, "}),
    ],
    ids=str,
)
def test_what_means_nothing_is_refused(schema: type[BaseModel], given: object) -> None:
    with pytest.raises(ValidationError):
        schema.model_validate(given)


def test_the_model_is_told_our_names_only() -> None:
    assert list(QueryArguments.model_json_schema()["properties"]) == ["image", "query"]
    assert list(PointArguments.model_json_schema()["properties"]) == ["image", "point"]


@pytest.mark.parametrize(
    ("points", "grouped"),
    [
        ([[0.1, 0.2], [1, 1]], [[[0.1, 0.2], [1, 1]]]),
        ([[0, 0], [1, 1]], [[[0, 0], [1, 1]]]),
        ([0.1, 0.2], [[[0.1, 0.2]]]),
        ([[[0.1, 0.2]], [[0.3, 0.4]]], [[[0.1, 0.2]], [[0.3, 0.4]]]),
        ([], []),
        ("here", "here"),
    ],
    ids=str,
)
def test_flat_points_are_those_of_one_region(points: object, grouped: object) -> None:
    assert points_in_groups(points) == grouped


@pytest.mark.parametrize(("labels", "grouped"), [([1, 0], [[1, 0]]), ([[1], [0]], [[1], [0]]), ([], []), (None, None)])
def test_flat_labels_are_those_of_one_region(labels: object, grouped: object) -> None:
    assert labels_in_groups(labels) == grouped


def test_one_box_is_a_list_of_one() -> None:
    assert in_list([0.1, 0.2, 0.3, 0.4]) == [[0.1, 0.2, 0.3, 0.4]]
    assert in_list([[0.1, 0.2, 0.3, 0.4]]) == [[0.1, 0.2, 0.3, 0.4]]
