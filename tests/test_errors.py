import pickle

import pytest

from llavaplus_graph import errors
from llavaplus_graph.errors import LlavaPlusError, MissingExtraError

EVERY_ERROR = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: error.__name__)
def test_every_error_is_one_of_ours_and_drawn_in_the_tree(error: type[Exception]) -> None:
    assert issubclass(error, LlavaPlusError)
    assert error.__name__ in str(errors.__doc__)


@pytest.mark.parametrize("name", ["PictureError", "CheckpointError", "ProtocolError", "DataError", "ConfigError"])
def test_a_callers_mistake_is_a_value_error(name: str) -> None:
    assert issubclass(getattr(errors, name), ValueError)


def test_a_missing_extra_is_an_import_error_that_names_the_command() -> None:
    error = MissingExtraError("finetune", "train")
    assert isinstance(error, ImportError)
    assert str(error) == "finetune needs an optional dependency: pip install 'llavaplus-graph[train]'"


def test_a_missing_extra_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(MissingExtraError("finetune", "train")))  # noqa: S301  our own bytes
    assert (str(error), error.extra) == (str(MissingExtraError("finetune", "train")), "train")
