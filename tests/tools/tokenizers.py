"""Tokenizers of the kinds that the skills' models have, with letters for words."""

from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any


def saved(home: Path, *parts: Any) -> Path:
    """Saves models, processors and tokenizers into one directory."""
    for part in parts:
        part.save_pretrained(home)
    return home


def letter_tokenizer() -> Any:
    """CLIP's tokenizer, letter by letter."""
    from transformers import CLIPTokenizer

    words = [
        "!",
        *ascii_lowercase,
        *(f"{letter}</w>" for letter in ascii_lowercase),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    return CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77)


def word_tokenizer() -> Any:
    """BERT's tokenizer with a few words and all letters, its special tokens at their usual places."""
    from transformers import BertTokenizer

    usual = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
    words = ["red", "cup", "cat", "dog", *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    free = [number for number in range(1, 1100) if number not in usual.values()]
    words += [f"[unused{number}]" for number in range(len(free) - len(words))]
    return BertTokenizer(vocab={**usual, **dict(zip(words, free, strict=True))}, do_lower_case=True)


def bart_tokenizer() -> Any:
    """BART's tokenizer, letter by letter, with the marks of Florence-2."""
    from transformers import BartTokenizer

    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<image>"]
    words = [*marks, "Ġ", "?", ".", *ascii_lowercase, *ascii_uppercase]
    tokenizer = BartTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return tokenizer


def qwen_tokenizer() -> Any:
    """Qwen's tokenizer, letter by letter, with a template that leaves a message as it is."""
    from transformers import Qwen2Tokenizer

    words = ["<|endoftext|>", "Ġ", *ascii_lowercase]
    tokenizer = Qwen2Tokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    return tokenizer
