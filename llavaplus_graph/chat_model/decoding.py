"""Constrained decoding: which tokens a grammar allows next. Knows llguidance and logits, not what the grammar means."""

from functools import lru_cache
from typing import Any

import llguidance
import llguidance.hf
import llguidance.torch
import torch


class Guide:
    """Follows one generation through a grammar; `mask` forbids tokens, `accept` tells which one was taken."""

    def __init__(self, tokenizer: Any, grammar: str) -> None:
        self._tokens = _wrapped(tokenizer)
        self._matcher = llguidance.LLMatcher(self._tokens, llguidance.grammar_from("lark", grammar))
        error = self._matcher.get_error()
        if error:
            raise ValueError(f"The grammar of the bound tools cannot be used: {error}")
        self._bitmask = llguidance.torch.allocate_token_bitmask(1, self._tokens.vocab_size)

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        """Set the logits (vocabulary,) of forbidden tokens to minus infinity, in place."""
        llguidance.torch.fill_next_token_bitmask(self._matcher, self._bitmask, 0)
        llguidance.torch.apply_token_bitmask_inplace(logits.unsqueeze(0), self._bitmask.to(logits.device))
        return logits

    def accept(self, token: int) -> None:
        """Take note of the token that was chosen."""
        self._matcher.consume_token(token)

    @property
    def finished(self) -> bool:
        """Whether the grammar allows nothing more."""
        return bool(self._matcher.is_stopped())


@lru_cache(maxsize=8)
def _wrapped(tokenizer: Any) -> Any:
    return llguidance.hf.from_tokenizer(tokenizer)
