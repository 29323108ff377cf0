"""Says of a skill which backends it really uses. Knows catalogue rows and weights, loads nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from llavaplus_graph.skills import SkillInfo, catalogued
from llavaplus_tools._backends.clock import limited
from llavaplus_tools._backends.weights import Weights, told_for


def weights_of(*backends: object) -> tuple[Weights, ...]:
    """The weights behind backends, or weights themselves, each once; a backend of one's own may have none."""
    found = (getattr(backend, "weights", backend) for backend in backends)
    return tuple(dict.fromkeys(weights for weights in found if isinstance(weights, Weights)))


def row_with(name: str, *backends: object, instead: bool = False) -> SkillInfo:
    """The catalogue's row of a skill, with the weights that its backends use.

    Results of other weights or other backends are not the same results, hence another version.

    Args:
        name: the skill.
        backends: what does its work.
        instead: the skill is the catalogue's when it does its work without weights; with any, it is another version.
    """
    row = catalogued(name)
    weights = weights_of(*backends)
    named = [one.id if one.revision is None else f"{one.id}@{one.revision}" for one in weights]
    foreign = [type(backend).__qualname__ for backend in backends if not (weights_of(backend) or _is_ours(backend))]
    if not foreign and named == ([] if instead else list(row.weights)):
        return row
    used = row.weights if instead and not weights else tuple(one.id for one in weights)
    return replace(row, weights=used, version="+".join([row.version, *named, *foreign]))


def _is_ours(backend: object) -> bool:
    return type(backend).__module__.startswith(f"{__package__}.")


@contextmanager
def spoken_for(name: str, *backends: object) -> Iterator[None]:
    """Lets missing weights be told in the name of the skill that runs inside, and keeps its models to its deadline.

    Args:
        name: the skill.
        backends: what does its work.
    """
    with told_for(name, *weights_of(*backends)), limited(name, catalogued(name).deadline):
        yield
