"""The same pipeline over Ray Data: samples go out to the machines of a cluster, outcomes come back. Writes nothing.

Every worker opens skills, labeller and the cache of replies by itself, so the folders of the spec must be reachable
from each machine. The first one alone keeps the journal; a worker that is lost loses only what it had in hand, which
Ray does again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from llavaplus_graph.data.curation.filling import Filler, Outcome
from llavaplus_graph.data.curation.labeller import open_labeller
from llavaplus_graph.data.curation.labelling import Spent
from llavaplus_graph.data.curation.plan import Sample
from llavaplus_graph.data.curation.running import open_skills
from llavaplus_graph.data.curation.spec import Spec
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import ConfigError, DataError, LlavaPlusError, MissingExtraError, ServerError
from llavaplus_graph.images import ImageStore

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
_ERRORS: dict[str, type[LlavaPlusError]] = {"ConfigError": ConfigError, "ServerError": ServerError}
_BATCH = 4  # samples that a worker takes at once; few, so that little is lost with it


class _Worker:
    """Fills samples on one machine."""

    def __init__(
        self,
        spec: Spec,
        folder: Path,
        model: BaseChatModel | None,
        things: Sequence[str],
        samples: Mapping[str, Sample],
    ) -> None:
        store = ImageStore(spec.out / "pictures")
        tools = open_skills([entry for task in spec.tasks for entry in task.skills], folder, store)
        labeller = open_labeller(spec, tools, folder, model)
        self._samples = samples
        self._filler = Filler(labeller, tools, spec.images.folders, store, spec.filters, things)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:  # Any: columns as Ray gives them
        return {"key": list(batch["key"]), "outcome": [self._filled(key) for key in batch["key"]]}

    def _filled(self, key: str) -> str:
        """Fill a sample; an error of ours travels as text, because Ray would wrap it in several of its own."""
        try:
            return json.dumps(asdict(self._filler.fill(self._samples[key])))
        except LlavaPlusError as error:
            return json.dumps({"error": type(error).__name__, "said": str(error)})


def fill_with_ray(
    spec: Spec,
    folder: Path,
    model: BaseChatModel | None,
    missing: Mapping[str, Sample],
    contexts: Sequence[ImageContext],
) -> Iterator[tuple[str, Outcome]]:
    """Fill samples on the machines of a Ray cluster, or on this one where none is running.

    Args:
        spec: What is asked for; `concurrency` is the most workers.
        folder: The folder that skill files and a labeller's module are relative to.
        model: A chat model that labels instead of the spec's labeller; it must be picklable.
        missing: What is left to do.
        contexts: What is known of all pictures.

    Raises:
        MissingExtraError: If the extra `ray` is not installed.
        LlavaPlusError: What `Filler.fill` raises.
    """
    if not missing:
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("--engine ray", extra="ray") from error
    own = not ray.is_initialized()
    if own:
        ray.init(include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False  # the caller is told of every sample
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    things = list(dict.fromkeys(name for context in contexts for name in context.names))
    workers = max(1, min(spec.concurrency, len(missing), int(ray.cluster_resources().get("CPU", 1))))
    filled = ray.data.from_items([{"key": key} for key in missing]).map_batches(
        _Worker,
        fn_constructor_args=(spec, folder, model, things, dict(missing)),
        batch_size=_BATCH,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    try:
        for row in filled.iter_rows():
            body = json.loads(row["outcome"])
            if "error" in body:
                raise _ERRORS.get(body["error"], DataError)(body["said"])
            yield row["key"], Outcome(**{**body, "slots": tuple(body["slots"]), "spent": Spent(**body["spent"])})
    finally:
        if own:
            ray.shutdown()
