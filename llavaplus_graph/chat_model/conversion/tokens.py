"""The tokenizer of a converted checkpoint: that of the original to the token, with `<image>` added. Knows no weights.

The original encoded with the slow LLaMA tokenizer of its time, chunk by chunk around each special token. Every chunk
got a leading `▁`, also one that began with a space; white space beside tokens that training had added was swallowed.
The tokenizer built here does the same in one go. Reading `tokenizer.model` needs sentencepiece (the extra `convert`),
`tokenizer.json` nothing; of two, `tokenizer.model` counts, because the original reads that one.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llavaplus_graph.chat_model.conversion.source import read_json, understood
from llavaplus_graph.errors import CheckpointError, MissingExtraError
from llavaplus_graph.protocol import IMAGE

START, END, PATCH = "<im_start>", "<im_end>", "<im_patch>"
_SPACE = "▁"


def build_tokenizer(directory: Path, config: Mapping[str, Any]) -> Any:
    """Build the fast tokenizer of an original directory.

    Args:
        directory: Where `tokenizer.model` or `tokenizer.json` lies, with the lists of added tokens beside it.
        config: The original config.json, which says which tokens for pictures the original code adds when it loads.

    Raises:
        CheckpointError: If there is no tokenizer or it cannot be read.
        MissingExtraError: If it is a sentencepiece model and the extra `convert` is not installed.
    """
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    settings = _optional(directory / "tokenizer_config.json")
    special = {**settings, **_optional(directory / "special_tokens_map.json")}
    named = {key: _text(special.get(key), usual) for key, usual in (("bos_token", "<s>"), ("eos_token", "</s>"))}
    unknown = _text(special.get("unk_token"), "<unk>")
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=_backend(directory),
        **named,
        unk_token=unknown,
        model_max_length=understood(lambda: _length(settings, config), "tokenizer_config.json"),
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    added = understood(lambda: _added(directory, settings, config), "A list of added tokens")
    for token, index in [*added, (IMAGE, None)]:
        strip = token != IMAGE
        tokenizer.add_tokens(AddedToken(token, lstrip=strip, rstrip=strip, normalized=False, special=True))
        given = tokenizer.convert_tokens_to_ids(token)
        if index not in (None, given):
            raise CheckpointError(
                f"{str(directory)!r} gives the token {token!r} the id {index}, where {given} comes next; "
                "a list of added tokens is missing or of another checkpoint."
            )
    padding = _text(special.get("pad_token"), unknown)
    tokenizer.pad_token = padding if padding in tokenizer.get_vocab() else unknown
    return tokenizer


def picture_mark(config: Mapping[str, Any]) -> str:
    """Give what stands for a picture in the prompts of a checkpoint."""
    return f"{START}{IMAGE}{END}" if config.get("mm_use_im_start_end", False) else IMAGE


def _backend(directory: Path) -> Any:
    from tokenizers import Tokenizer

    if (directory / "tokenizer.model").exists():
        return _from_sentencepiece(directory / "tokenizer.model")
    path = directory / "tokenizer.json"
    if not path.exists():
        raise CheckpointError(f"{str(directory)!r} has neither tokenizer.model nor tokenizer.json; fetch one of them.")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise CheckpointError(f"{str(path)!r} cannot be read as a tokenizer; fetch the file again.") from error


def _from_sentencepiece(path: Path) -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise MissingExtraError(f"converting {path.name}", "convert") from error
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
    from transformers import LlamaTokenizer

    try:
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read as a tokenizer; fetch the file again.") from error
    with TemporaryDirectory() as folder:  # where no other file of the checkpoint has a say
        shutil.copy(path, folder)
        loaded: Any = LlamaTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer: Any = Tokenizer(loaded.backend_tokenizer.model)
    # Unlike Metaspace, this puts a mark before a text that begins with a space too, as sentencepiece does.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), normalizers.Replace(" ", _SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    begin = pieces.id_to_piece(pieces.bos_id())
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin}:1 $B:1", special_tokens=[(begin, pieces.bos_id())]
    )
    control = [pieces.id_to_piece(index) for index in range(len(pieces)) if pieces.is_control(index)]
    unknown = pieces.id_to_piece(pieces.unk_id())
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (unknown, *control)])
    return tokenizer


def _added(directory: Path, settings: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    """List added tokens in the order of their ids: the stored ones, then those that the original loader adds."""
    stored = {str(token): int(index) for token, index in _optional(directory / "added_tokens.json").items()}
    for index, token in (settings.get("added_tokens_decoder") or {}).items():
        stored.setdefault(_text(token, ""), int(index))
    tokens: list[tuple[str, int | None]] = [(token, stored[token]) for token in sorted(stored, key=stored.__getitem__)]
    loaded = [PATCH] if config.get("mm_use_im_patch_token", True) else []
    loaded += [START, END] if config.get("mm_use_im_start_end", False) else []
    return tokens + [(token, None) for token in loaded if token not in stored]


def _length(settings: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    length = config.get("tokenizer_model_max_length") or settings.get("model_max_length") or 2048
    return min(int(length), int(config.get("max_position_embeddings") or 2048))


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _text(token: Any, usual: str) -> str:
    """Read a token that may be written as a text or as an object with settings."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) and token else usual
