"""Constrained decoding: which tokens a grammar allows next. Knows llguidance and logits, not what the grammar means."""

from functools import lru_cache
from typing import Any

import llguidance
import llguidance.hf
import torch

from llavaplus_graph.errors import ConfigError


class Guide:
    """Follows one generation through a grammar; `mask` forbids tokens, `accept` tells which one was taken."""

    def __init__(self, tokenizer: Any, grammar: str) -> None:
        self._tokens = _wrapped(tokenizer)
        self._matcher = llguidance.LLMatcher(self._tokens, llguidance.grammar_from("lark", grammar))
        error = self._matcher.get_error()
        if error:
            raise ConfigError(
                f"The arguments of the bound tools cannot be decoded along their schemas ({_first_line(error)}); "
                "simplify the schema or pass constrained=False."
            )

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        """Set the logits (vocabulary,) of forbidden tokens to minus infinity, in place."""
        # llguidance.torch would do this too, but compiles it on first use: seconds, and a C++ compiler has to be there.
        bias = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        known = min(len(bias), len(logits))
        logits[:known].masked_fill_((bias[:known] == 0).to(logits.device), float("-inf"))
        logits[known:] = float("-inf")
        return logits

    def accept(self, token: int) -> None:
        """Take note of the token that was chosen."""
        self._matcher.consume_token(token)

    @property
    def finished(self) -> bool:
        """Whether the grammar allows nothing more."""
        return bool(self._matcher.is_stopped())


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0][:300]


@lru_cache(maxsize=8)
def _wrapped(tokenizer: Any) -> Any:
    return llguidance.hf.from_tokenizer(tokenizer)
