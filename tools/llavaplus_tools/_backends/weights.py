"""Names the weights of a backend and says in a sentence what is wrong with them. Loads nothing and knows no skill."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llavaplus_graph.downloads import fetch, offer_of
from llavaplus_graph.errors import DownloadError, LlavaPlusError, SkillError
from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.weights import folder_of

if TYPE_CHECKING:
    import torch

_LOG = logging.getLogger(__name__)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


class MissingWeightsError(SkillError):
    """Weights are not on this machine and may not be downloaded; `told_for` says which skill misses them."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Which weights, and where and how they shall be loaded.

    Attributes:
        id: a hub id, or the path of a local directory.
        revision: a branch, tag or commit of the hub; by default the main one.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` is the GPU where there is one.
        dtype: ``"float32"``, ``"float16"``, ``"bfloat16"``; ``"auto"`` is float32 on the CPU, bfloat16 on a GPU that
            has it and float16 on any other.
        allow_download: what is not on this machine may be fetched from the hub.
    """

    id: str
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    allow_download: bool = False

    def options(self) -> dict[str, Any]:
        """Keyword arguments for the ``from_pretrained`` of a model or a pipeline: never pickles, never a surprise."""
        return {**self.processor_options(), "use_safetensors": True}

    def processor_options(self) -> dict[str, Any]:
        """Keyword arguments for the ``from_pretrained`` of a processor or tokenizer."""
        revision = {} if self.revision is None else {"revision": self.revision}
        return {**revision, "local_files_only": not self.allow_download}

    def device_name(self) -> str:
        """The device with its number, for example ``"cpu"`` or ``"cuda:0"``.

        Raises:
            SkillError: this machine has no such device.
        """
        import torch

        if self.device == "auto":
            return "cuda:0" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(self.device)
        except RuntimeError:
            raise SkillError(f"there is no device {self.device!r}; use auto, cpu or cuda") from None
        if device.type == "cuda":
            number = device.index or 0
            if number >= torch.cuda.device_count():
                raise SkillError(f"this machine has no device {self.device!r}; use auto or cpu")
            return f"cuda:{number}"
        return str(device)

    def torch_dtype(self) -> torch.dtype:
        """The number type on the device.

        Raises:
            SkillError: there is no such number type.
        """
        import torch

        if self.dtype == "auto":
            device = self.device_name()
            if not device.startswith("cuda"):
                return torch.float32
            return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
        found = getattr(torch, self.dtype, None)
        if not isinstance(found, torch.dtype):
            raise SkillError(f"there is no number type {self.dtype!r}; use auto, float32, float16 or bfloat16")
        return found

    def folder(self) -> Path | None:
        """Where the weights lie on this machine, all of them; None where something is missing. Asks no network."""
        return folder_of(self.id, self.revision)

    def _check_id(self) -> None:
        if not _HUB_ID.fullmatch(self.id):
            raise SkillError(f"there is no directory {self.id!r} with weights; give one, or an id of the hub")

    def resolved(self) -> Weights:
        """These weights as a directory on this machine, a device with its number and a number type by name.

        Loading from a directory keeps the libraries off the network, which they ask for adapters even when told to
        use local files only.

        Raises:
            MissingWeightsError: the weights are not here and may not be downloaded.
            SkillError: they cannot be downloaded, or there is no such device or number type.
        """
        folder = self.folder()
        if folder is None:
            self._check_id()
            if not self.allow_download:
                raise MissingWeightsError(f"the weights {self.id} are not on this machine")
            try:
                folder = fetch(offer_of(self.id, self.revision))
            except DownloadError as err:
                raise SkillError(str(err)) from err
        dtype = str(self.torch_dtype()).removeprefix("torch.")
        return Weights(str(folder), None, self.device_name(), dtype)


def missing(skill: str, *weights: Weights) -> SkillError:
    """What the model is told when weights are not on this machine. The bundled LMM has learned these words.

    Args:
        skill: name of the skill that needs them.
        weights: what it needs, in the order of its row in the catalogue.
    """
    ids = [one.id for one in weights]
    usual = next((info.weights for info in CATALOGUE if info.name == skill), ())
    own = [one.id if one.revision is None else f"{one.id}@{one.revision}" for one in weights]
    # Fetching by the skill's name brings the weights that it uses by default.
    names = skill if set(own) <= set(usual) else " ".join(own)
    return SkillError(
        f"{skill} needs the weights {' and '.join(ids)}, which are not on this machine; "
        f"to fetch them run: llavaplus skills fetch {names}"
    )


@contextmanager
def told_for(skill: str, *weights: Weights) -> Iterator[None]:
    """Turns a `MissingWeightsError` from inside into the sentence of `missing`.

    Args:
        skill: name of the skill that runs inside.
        weights: everything it needs; the sentence names what of it is not here.
    """
    try:
        yield
    except MissingWeightsError:
        absent = [one for one in weights if one.folder() is None]
        raise missing(skill, *(absent or weights)) from None


def loading_error(id_: str, kind: str, err: Exception) -> LlavaPlusError:
    """The sentence for whatever ``from_pretrained`` raised.

    Args:
        id_: the weights that were to be loaded.
        kind: what they were to become.
        err: what was raised; an error of this package stays as it is.
    """
    if isinstance(err, LlavaPlusError):
        return err
    _LOG.error("the weights %s could not be loaded as %s", id_, kind, exc_info=err)
    return SkillError(
        f"the weights {id_} could not be loaded as {kind} ({type(err).__name__}); "
        "check that they fit this skill, or fetch them again"
    )
