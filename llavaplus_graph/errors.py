"""Every error of the package; knows nothing of where they are raised.

    LlavaPlusError                     everything this package raises on purpose
    ├── SkillError                     what the model is told, in one sentence
    ├── PictureError (ValueError)      a picture or handle that cannot be used
    ├── CheckpointError (ValueError)   a model directory that cannot be opened
    ├── ProtocolError (ValueError)     something the wire format cannot express
    ├── DataError (ValueError)         a record that cannot be read
    ├── ConfigError (ValueError)       a configuration that cannot be used
    ├── TrainingError                  a training that cannot go on
    ├── ServerError (ConnectionError)  an LMM's server that cannot be reached or broke off
    ├── DownloadError (ConnectionError)  weights that cannot be fetched
    └── MissingExtraError (ImportError)  an optional dependency that is not installed

A message is one sentence: what is wrong, the offending value, what would be right. Anything else that is raised
is a bug of this package.
"""

from __future__ import annotations


class LlavaPlusError(Exception):
    """Root of the tree.

    Example:
        >>> try:
        ...     raise PictureError("'sign.png' does not exist; give the path of a PNG, JPEG or WEBP file.")
        ... except LlavaPlusError as err:
        ...     print(err)
        'sign.png' does not exist; give the path of a PNG, JPEG or WEBP file.
    """


class SkillError(LlavaPlusError):
    """A skill could not do what it was asked to; the model reads the message and the conversation goes on."""


class PictureError(LlavaPlusError, ValueError):
    """A picture or a handle of one cannot be used."""


class CheckpointError(LlavaPlusError, ValueError):
    """A model directory cannot be opened."""


class ProtocolError(LlavaPlusError, ValueError):
    """The LLaVA-Plus wire format cannot express what was to be rendered."""


class DataError(LlavaPlusError, ValueError):
    """A training or evaluation record, or a stored result, cannot be read."""


class ConfigError(LlavaPlusError, ValueError):
    """A configuration names something that does not exist or does not fit."""


class TrainingError(LlavaPlusError):
    """A training cannot go on; what had been saved is kept."""


class ServerError(LlavaPlusError, ConnectionError):
    """A server cannot be reached, failed or broke off; asking again may help, and LangGraph's retry policy does."""


class DownloadError(LlavaPlusError, ConnectionError):
    """Weights cannot be fetched from the hub."""


class MissingExtraError(LlavaPlusError, ImportError):
    """A part of the package needs an extra that is not installed.

    Args:
        what: what was asked for, as the beginning of a sentence, for example ``"finetune"``.
        extra: name of the extra that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency: pip install 'llavaplus-graph[{extra}]'")
        self.extra = extra

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with the finished sentence as its only argument.
        return _missing_extra, (str(self), self.extra)


def _missing_extra(sentence: str, extra: str) -> MissingExtraError:
    error = MissingExtraError.__new__(MissingExtraError)
    ImportError.__init__(error, sentence)
    error.extra = extra
    return error
