import sys

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.chat_model.decoding import Guide
from llavaplus_graph.errors import ConfigError


def allowed(guide: Guide, size: int) -> set[int]:
    return set((guide.mask(torch.zeros(size)) == 0).nonzero().flatten().tolist())


def test_only_tokens_that_go_on_are_left(tokenizer: PreTrainedTokenizerFast) -> None:
    guide = Guide(tokenizer, 'start: "read_text"')
    left = allowed(guide, len(tokenizer))
    name = tokenizer.get_vocab()["read_text"]
    assert name in left
    assert {tokenizer.decode([token])[0] for token in left} == {"r"}
    guide.accept(name)
    assert allowed(guide, len(tokenizer)) == {tokenizer.eos_token_id}


def test_it_is_finished_when_nothing_may_follow(tokenizer: PreTrainedTokenizerFast) -> None:
    guide = Guide(tokenizer, 'start: "read_text"')
    assert not guide.finished
    guide.accept(tokenizer.get_vocab()["read_text"])
    assert guide.finished


@pytest.mark.parametrize("more", [1, 64])
def test_positions_beyond_the_vocabulary_are_never_chosen(tokenizer: PreTrainedTokenizerFast, more: int) -> None:
    left = allowed(Guide(tokenizer, "start: /[^x]*/"), len(tokenizer) + more)
    assert left
    assert max(left) < len(tokenizer)


def test_logits_are_changed_in_place_and_the_rest_is_kept(tokenizer: PreTrainedTokenizerFast) -> None:
    logits = torch.rand(len(tokenizer)) + 1
    before = logits.clone()
    masked = Guide(tokenizer, 'start: "r"').mask(logits)
    assert masked is logits
    kept = torch.isfinite(logits)
    assert 0 < int(kept.sum()) < len(tokenizer)
    assert torch.equal(logits[kept], before[kept])


def test_nothing_that_would_need_a_compiler_is_imported(tokenizer: PreTrainedTokenizerFast) -> None:
    Guide(tokenizer, 'start: "r"').mask(torch.zeros(len(tokenizer)))
    assert "llguidance.torch" not in sys.modules


@pytest.mark.parametrize("grammar", ["start: nowhere", "start: (", ""])
def test_a_grammar_that_cannot_be_read_says_so_in_one_sentence(
    tokenizer: PreTrainedTokenizerFast, grammar: str
) -> None:
    with pytest.raises(ConfigError, match="constrained=False") as caught:
        Guide(tokenizer, grammar)
    assert "\n" not in str(caught.value)
