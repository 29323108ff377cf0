"""The tokenizer of a small LMM: byte-level BPE that splits a word the same way with and without a space before it.

Copying is what a planner does all day: a word of the question becomes an argument, a line of a result becomes a
quotation. Ordinary byte-level BPE splits ` cormorant` and `cormorant` differently, so a copy would have to be respelt.
Here merges are learned on bare words, and the space is joined to the first piece by merges of the lowest rank. What the
protocol fixes (markers, wordings) and normalised numbers are single tokens.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.protocol import ACTIONS, IMAGE, THOUGHTS, VALUE

SPACE = "Ġ"
_SPECIAL = ("<unk>", "<s>", "</s>", "<pad>", IMAGE)
_FIXED = (
    "USER: ",
    " ASSISTANT:",
    f" {THOUGHTS} ",
    f"\n{ACTIONS} ",
    f"\n{VALUE} ",
    '[{"API_name": "',
    '", "API_params": {',
    '}}, {"API_name": "',
    "I will use ",
    " to help to answer the question. Please wait for a moment.",
    " model outputs: {",
    "\n\nPlease summarize the model outputs and answer my first question: ",
    "Thanks to the output of ",
    ". I can answer the question better.",
    "\nThe input boxes are: ",
    "\nThe input points are: ",
)


def train_tokenizer(texts: Iterable[str], names: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Learn a vocabulary.

    Args:
        texts: The rendered conversations to learn from.
        names: Names that become single tokens, such as those of skills.
        size: Pieces without their spaced twins, fixed phrases and numbers.
    """
    corpus = list(texts)
    bare = Tokenizer(models.BPE(unk_token=None))
    bare.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\d|\s"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=4, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bare.train_from_iterator(corpus, trainer)
    tokenizer = Tokenizer(_with_spaced_twins(bare, corpus))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\d"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _SPECIAL])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in (*_FIXED, *names, *_numbers())])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=tokenizer,
        bos_token="<s>",  # noqa: S106 - a special token, no secret
        eos_token="</s>",  # noqa: S106 - a special token, no secret
        unk_token="<unk>",  # noqa: S106 - a special token, no secret
        pad_token="<pad>",  # noqa: S106 - a special token, no secret
        extra_special_tokens={"image_token": IMAGE},
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )


def _with_spaced_twins(bare: Any, corpus: list[str]) -> models.BPE:
    model = json.loads(bare.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    merges: list[tuple[str, str]] = [tuple(pair) for pair in model["merges"]]
    for piece, _ in Counter(_first_pieces(bare, corpus)).most_common():
        if SPACE + piece not in vocabulary:
            vocabulary[SPACE + piece] = len(vocabulary)
            merges.append((SPACE, piece))
    return models.BPE(vocab=vocabulary, merges=merges)


def _first_pieces(bare: Any, corpus: list[str]) -> Iterator[str]:
    """Give the first piece of every word that follows a space, those that occur often enough to be worth a token."""
    words = Counter(word for text in corpus for word in text.split(" ")[1:] if word and not word[0].isdigit())
    pieces: Counter[str] = Counter()
    for word, count in words.items():
        tokens = bare.encode(word).tokens
        if tokens and tokens[0] != SPACE:
            pieces[tokens[0]] += count
    return (piece for piece, count in pieces.items() if count >= 4)


def _numbers() -> list[str]:
    """List the normalised numbers as results and arguments write them: 0.0 to 1.0 with one or two decimals."""
    two = [f"0.{n:02d}" for n in range(100)]
    return [f"0.{n}" for n in range(10)] + two + ["1.0", "1.00"]
