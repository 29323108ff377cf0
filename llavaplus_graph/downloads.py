"""Fetches weights from the hub. Knows the hub's files and errors; opens no weights and knows no skill.

Pickles are never fetched: only safetensors, their configurations and the tokenizers' files.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from llavaplus_graph.errors import DownloadError
from llavaplus_graph.weights import loaded_from, weights_info

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_T = TypeVar("_T")
_PACE = 0.2  # seconds between two looks at the disk
_SETTINGS = ("*.json", "*.txt", "*.model")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the hub has of weights.

    Attributes:
        id: the hub id.
        revision: the branch, tag or commit that was asked for.
        licence: as the hub says, or else the catalogue.
        files: names and bytes of what a fetch downloads.
    """

    id: str
    revision: str | None
    licence: str
    files: tuple[tuple[str, int], ...]

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(size for _, size in self.files)


def offer_of(id_: str, revision: str | None = None) -> Offer:
    """Asks the hub (``$HF_ENDPOINT``) for what a fetch would download.

    Args:
        id_: a hub id.
        revision: a branch, tag or commit; by default the main branch.

    Raises:
        DownloadError: the hub cannot be reached, has no such weights, or has them only as pickles.
    """
    found = _asked(id_, lambda: _hub().model_info(id_, revision=revision, files_metadata=True))
    sizes = {file.rfilename: file.size or 0 for file in found.siblings or ()}
    files = fetched_files(list(sizes))
    if not any(name.endswith(".safetensors") for name in files):
        raise DownloadError(f"{id_} has no safetensors on the hub, and pickles are never fetched; choose other weights")
    return Offer(id_, revision, _licence(id_, found), tuple((name, sizes[name]) for name in files))


def fetch(offer: Offer, *, cache: Path | None = None, watch: Callable[[int], None] | None = None) -> Path:
    """Downloads weights. A connection that breaks is resumed; files that an earlier fetch has brought are kept.

    The configurations come last: without them no weights count as being on this machine, so nothing half-fetched is
    ever used.

    Args:
        offer: from `offer_of`.
        cache: where to; by default Hugging Face's cache.
        watch: is told now and then how many bytes are there; without it Hugging Face shows bars on stderr.

    Returns:
        The folder.

    Raises:
        DownloadError: the connection broke for good, or there is too little space on the disk.
    """
    from huggingface_hub import constants, snapshot_download

    home = cache if cache is not None else Path(constants.HF_HUB_CACHE)
    _check_space(offer, home)

    def download(names: Sequence[str]) -> str:
        return snapshot_download(
            offer.id,
            revision=offer.revision,
            cache_dir=home,
            allow_patterns=list(names),
            endpoint=_endpoint(),
            tqdm_class=_no_bars() if watch else None,
        )

    names = [name for name, _ in offer.files]
    weights = [name for name in names if name.endswith(".safetensors")]
    settings = [name for name in names if name not in weights]
    with _watched(home / f"models--{offer.id.replace('/', '--')}" / "blobs", watch):
        _asked(offer.id, lambda: download(weights))
        return Path(_asked(offer.id, lambda: download(settings)))


@contextmanager
def _watched(blobs: Path, watch: Callable[[int], None] | None) -> Iterator[None]:
    """Tells the size of a folder until the work inside is done.

    The bars of Hugging Face's client say other things in every version; the bytes on the disk are what they are.
    """
    if watch is None:
        yield
        return
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_PACE):
            watch(_size_of(blobs))

    thread = threading.Thread(target=tell, name="download", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        watch(_size_of(blobs))


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with suppress(OSError):  # it may have got its final name meanwhile
            total += path.stat().st_size
    return total


def _no_bars() -> type[Any]:
    from huggingface_hub.utils.tqdm import tqdm

    class Silent(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]  # left untyped there

    return Silent


def fetched_files(names: Sequence[str]) -> list[str]:
    """Which of a repository's files a fetch downloads.

    Args:
        names: paths in the repository. Where a ``model_index.json`` says that it is a pipeline, its parts lie in
            folders, and single files beside those are the same weights once more.

    Returns:
        Configurations, tokenizers and, of each folder's safetensors, one whole set without variants. Never a pickle.
    """
    pipeline = "model_index.json" in names
    by_folder: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if len(path.parts) == (2 if pipeline else 1):
            by_folder.setdefault(str(path.parent), []).append(path.name)
    kept = ["model_index.json"] if pipeline else []
    for folder, inside in by_folder.items():
        settings = [name for name in inside if any(fnmatch(name, pattern) for pattern in _SETTINGS)]
        kept += [str(PurePosixPath(folder, name)) for name in (*settings, *loaded_from(inside))]
    return kept


def _hub() -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(endpoint=_endpoint())


def _endpoint() -> str | None:
    # Hugging Face reads the variable when it is imported; here it counts when it is used.
    return os.environ.get("HF_ENDPOINT") or None


def _licence(id_: str, found: Any) -> str:
    told = [tag.partition(":")[2] for tag in found.tags or () if tag.startswith("license:")]
    known = weights_info(id_)
    return told[0] if told else known.licence if known is not None else "no licence named"


def _asked(id_: str, question: Callable[[], _T]) -> _T:
    """Runs something that needs the hub; whatever fails becomes a sentence."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        return question()
    except GatedRepoError:
        raise DownloadError(
            f"{id_} asks for consent: give it on its page on the hub, then run: hf auth login"
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise DownloadError(f"the hub has no weights {id_!r}; check the id") from None
    except OfflineModeIsEnabled:
        raise DownloadError(f"{id_} cannot be fetched because HF_HUB_OFFLINE is set; unset it") from None
    except HfHubHTTPError as err:
        code = err.response.status_code if err.response is not None else "no answer"
        raise DownloadError(f"the hub refused to give {id_} (HTTP {code}); try again later") from err
    except Exception as err:
        if isinstance(err, LocalEntryNotFoundError | ConnectionError | TimeoutError) or _is_of_the_network(err):
            raise DownloadError(_unreachable(id_)) from err
        if isinstance(err, OSError) and err.errno is not None:
            raise DownloadError(f"{id_} could not be written to {err.filename or 'the cache'}: {err.strerror}") from err
        raise


def _unreachable(id_: str) -> str:
    from huggingface_hub import constants

    where = _endpoint() or constants.ENDPOINT
    return f"{id_} could not be fetched from {where}: the connection failed; check it and run the command again"


def _is_of_the_network(err: BaseException) -> bool:
    # The hub's client has changed its HTTP library more than once.
    return type(err).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")


def _check_space(offer: Offer, home: Path) -> None:
    existing = next(parent for parent in (home, *home.parents) if parent.is_dir())
    free = shutil.disk_usage(existing).free
    if offer.bytes > free:
        raise DownloadError(
            f"{offer.id} takes {offer.bytes / 1e6:,.0f} MB and {existing} has {free / 1e6:,.0f} MB left; make room, or "
            "set HF_HOME to a folder on another disk"
        )
