"""Which token comes next: by temperature and top_p, and held to a grammar where there is one.

Knows llguidance and logits, not what a grammar means or where logits come from.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import llguidance
import torch
from torch import Tensor

from llavaplus_graph.chat_model.generation import Sampling
from llavaplus_graph.errors import ConfigError


class Guide:
    """Follows one generation through grammars, all of which allow what it takes.

    Args:
        tokenizer: The tokenizer of the LMM.
        grammars: Lark grammars in llguidance's spelling. One that comes again need not be compiled again.

    Raises:
        ConfigError: If a grammar cannot be used.
    """

    def __init__(self, tokenizer: Any, *grammars: str) -> None:
        self._matchers = [_compiled(tokenizer, grammar).deep_copy() for grammar in grammars]
        self._bits = torch.zeros(len(grammars), -(-_wrapped(tokenizer).vocab_size // 32), dtype=torch.int32)

    def take(self, token: int) -> bool:
        """Take a token if it may come next; otherwise nothing changes."""
        return self._take([token]) == 1

    def forced(self) -> list[int]:
        """Take the tokens that must come next, as the tokenizer itself would cut them; none where there is a choice."""
        found: list[int] = []
        while fresh := next((tokens for matcher in self._matchers if (tokens := matcher.compute_ff_tokens())), None):
            taken = self._take(fresh)
            found += [int(token) for token in fresh[:taken]]
            if taken < len(fresh):
                break
        return found

    def _take(self, tokens: Sequence[int]) -> int:
        """Take tokens as far as every grammar allows them; gives how many."""
        allowed = list(tokens)
        for matcher in self._matchers[1:]:
            allowed = allowed[: matcher.validate_tokens(allowed)]
        taken = int(self._matchers[0].try_consume_tokens(allowed)) if allowed else 0
        for matcher in self._matchers[1:]:
            matcher.consume_tokens(allowed[:taken])
        return taken

    def mask(self, logits: Tensor) -> Tensor:
        """Set the logits (vocabulary,) of forbidden tokens to minus infinity, in place."""
        # llguidance.torch would do this too, but compiles it on first use: seconds, and a C++ compiler has to be there.
        for matcher, bits in zip(self._matchers, self._bits, strict=True):
            matcher.unsafe_compute_mask_ptr(bits.data_ptr(), bits.nbytes)
        allowed = self._bits[0]
        for bits in self._bits[1:]:
            allowed = allowed & bits
        forbidden = ((allowed[:, None] >> _SHIFTS) & 1).eq(0).flatten()[: len(logits)].to(logits.device)
        logits[: len(forbidden)].masked_fill_(forbidden, float("-inf"))
        logits[len(forbidden) :] = float("-inf")
        return logits

    @property
    def finished(self) -> bool:
        """Whether nothing more is allowed.

        Raises:
            ConfigError: If following a grammar took too much.
        """
        for matcher in self._matchers:
            if matcher.is_error():
                raise _unusable(matcher.get_error())
        return any(matcher.is_stopped() for matcher in self._matchers)


class Chooser:
    """Chooses the tokens of one generation, by its own chance."""

    def __init__(self, sampling: Sampling, guide: Guide | None = None) -> None:
        self._sampling = sampling
        self._guide = guide
        self._begun = False
        self._chance = torch.Generator().manual_seed(sampling.seed) if sampling.seed is not None else None

    def choose(self, logits: Tensor, likeliest: int) -> list[int]:
        """Choose the next token; those that must follow it come with it, which spares a step for each.

        Args:
            logits: What the LMM says (vocabulary,); may be changed.
            likeliest: Where they are greatest.
        """
        greedy = self._sampling.temperature <= 0
        if self._guide is None:
            return [likeliest if greedy else self._sample(logits)]
        if not self._begun:  # later, what must follow a token has come with it
            self._begun = True
            if opening := self._guide.forced():
                return opening
        # What a trained LMM thinks likeliest is nearly always allowed; to ask for that one costs a twentieth of a mask.
        if greedy and self._guide.take(likeliest):
            return [likeliest, *self._guide.forced()]
        self._guide.mask(logits)
        token = int(logits.argmax()) if greedy else self._sample(logits)
        self._guide.take(token)
        return [token, *self._guide.forced()]

    @property
    def finished(self) -> bool:
        """Whether nothing may come any more."""
        return self._guide is not None and self._guide.finished

    def _sample(self, logits: Tensor) -> int:
        probabilities = torch.softmax(logits / self._sampling.temperature, -1).cpu()
        if self._sampling.top_p < 1:
            ordered, order = probabilities.sort(descending=True)
            ordered[ordered.cumsum(-1) - ordered >= self._sampling.top_p] = 0
            return int(order[torch.multinomial(ordered, 1, generator=self._chance)])
        return int(torch.multinomial(probabilities, 1, generator=self._chance))


_SHIFTS = torch.arange(32, dtype=torch.int32)
_NOWHERE = "\ue000"  # a character that no text has: with it in its name, no text reads like a special token


@lru_cache(maxsize=32)
def _compiled(tokenizer: Any, grammar: str) -> Any:
    """Compile a grammar, milliseconds for a dozen tools; the same one often comes again. Never advanced itself."""
    matcher = llguidance.LLMatcher(_wrapped(tokenizer), llguidance.grammar_from("lark", grammar))
    if matcher.is_error():
        raise _unusable(matcher.get_error())
    return matcher


@lru_cache(maxsize=8)
def _wrapped(tokenizer: Any) -> Any:
    """Hand a tokenizer to llguidance; what reads like a special token in a text is text there and nothing else."""
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = spec["model"]["vocab"]
    for token in spec["added_tokens"]:
        if token["special"]:
            name, token["content"] = token["content"], f"{_NOWHERE}{token['content']}"
            if isinstance(vocabulary, dict) and name in vocabulary:
                vocabulary[token["content"]] = vocabulary.pop(name)
    spec |= {"padding": None, "truncation": None}
    return llguidance.LLTokenizer(json.dumps(spec), eos_token=tokenizer.eos_token_id)


def _unusable(error: str) -> ConfigError:
    reason = error.strip().split("\n")[0][:300]
    return ConfigError(
        f"The arguments of the bound tools cannot be decoded along their schemas ({reason}); "
        "simplify the schema or pass constrained=False."
    )
