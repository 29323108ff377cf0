import random
import sys

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.chat_model.decoding import Chooser, Guide
from llavaplus_graph.chat_model.generation import Sampling
from llavaplus_graph.chat_model.grammar import ToolSpec, turn_grammar
from llavaplus_graph.errors import ConfigError


def allowed(guide: Guide, size: int) -> set[int]:
    return set((guide.mask(torch.zeros(size)) == 0).nonzero().flatten().tolist())


def test_only_tokens_that_go_on_are_left(tokenizer: PreTrainedTokenizerFast) -> None:
    guide = Guide(tokenizer, 'start: "read_text"')
    left = allowed(guide, len(tokenizer))
    name = tokenizer.get_vocab()["read_text"]
    assert name in left
    assert {tokenizer.decode([token])[0] for token in left} == {"r"}
    guide.take(name)
    assert allowed(guide, len(tokenizer)) == {tokenizer.eos_token_id}


def test_it_is_finished_when_nothing_may_follow(tokenizer: PreTrainedTokenizerFast) -> None:
    guide = Guide(tokenizer, 'start: "read_text"')
    assert not guide.finished
    guide.take(tokenizer.get_vocab()["read_text"])
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


def test_only_what_may_come_is_taken_and_a_refusal_changes_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    guide, vocabulary = Guide(tokenizer, 'start: "a" /[bc]/ "d"'), tokenizer.get_vocab()
    assert not guide.take(vocabulary["b"])
    assert guide.take(vocabulary["a"])
    assert not guide.take(vocabulary["d"])
    assert not guide.take(tokenizer.eos_token_id)
    assert guide.take(vocabulary["c"])
    assert not guide.finished
    assert guide.take(vocabulary["d"])
    assert guide.finished


def test_what_must_come_is_taken_as_the_tokenizer_cuts_it(tokenizer: PreTrainedTokenizerFast) -> None:
    guide = Guide(tokenizer, 'start: "read_text" /[ab]/ "read_text"')
    assert guide.forced() == [tokenizer.get_vocab()["read_text"]]
    assert guide.forced() == []
    assert guide.take(tokenizer.get_vocab()["b"])
    assert guide.forced() == [tokenizer.get_vocab()["read_text"]]
    assert guide.finished


TOOLS = [
    ToolSpec("read_text", {"properties": {"image": {"type": "string"}, "n": {"type": "number"}}, "required": ["n"]}),
    ToolSpec("größer", {"properties": {"k": {"enum": ["é", "</s>", 3]}, "o": {"type": "object"}}}),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "grammar", [turn_grammar(TOOLS, choice="any"), "start: /[^x]{3,40}/", "start: (/a+/|/[ab]+c/)+"]
)
def test_a_mask_allows_exactly_what_would_be_taken(tokenizer: PreTrainedTokenizerFast, grammar: str, seed: int) -> None:
    rng, guide, size = random.Random(seed), Guide(tokenizer, grammar), len(tokenizer)
    taken: list[int] = []
    while not guide.finished and len(taken) < 40:
        taken += guide.forced()
        left = allowed(guide, size)
        for token in rng.sample(range(size), 60):
            twin = Guide(tokenizer, grammar)
            assert all(map(twin.take, taken))
            assert twin.take(token) == (token in left)
        taken.append(rng.choice(sorted(left - {tokenizer.eos_token_id}) or [tokenizer.eos_token_id]))
        assert guide.take(taken[-1])


@pytest.mark.parametrize("special", ["</s>", "<s>", "<image>"])
def test_what_reads_like_a_special_token_is_text(tokenizer: PreTrainedTokenizerFast, special: str) -> None:
    guide = Guide(tokenizer, f'start: "a{special}b" /[xy]/')
    tokens = guide.forced()
    assert not set(tokens) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(tokens, skip_special_tokens=True) == f"a{special}b"


def test_the_same_grammar_is_compiled_once_and_followed_by_each_on_its_own(tokenizer: PreTrainedTokenizerFast) -> None:
    one, other = Guide(tokenizer, 'start: "a" "b"'), Guide(tokenizer, 'start: "a" "b"')
    assert one.take(tokenizer.get_vocab()["a"])
    assert not other.take(tokenizer.get_vocab()["b"])
    assert other.take(tokenizer.get_vocab()["a"])


def test_what_is_too_much_to_follow_says_so(tokenizer: PreTrainedTokenizerFast) -> None:
    ambiguous = "start: " + " | ".join(f"r{i}" for i in range(1500)) + "\n"
    rules = "\n".join(f"r{i}: T{i}*\nT{i}: /[a-z]{{1,{i + 2}}}/" for i in range(1500))

    def follow() -> None:
        guide = Guide(tokenizer, ambiguous + rules)
        while not guide.finished:
            guide.mask(torch.zeros(len(tokenizer)))
            guide.take(tokenizer.get_vocab()["a"])

    with pytest.raises(ConfigError, match="constrained=False"):
        follow()


# --- choosing -----------------------------------------------------------------------------------------------------


def logits(tokenizer: PreTrainedTokenizerFast, **liked: float) -> torch.Tensor:
    scores = torch.zeros(len(tokenizer))
    for text, score in liked.items():
        scores[tokenizer.get_vocab()[text]] = score
    return scores


def chosen(tokenizer: PreTrainedTokenizerFast, chooser: Chooser, scores: torch.Tensor) -> str:
    return str(tokenizer.decode(chooser.choose(scores.clone(), int(scores.argmax()))))


def test_the_likeliest_token_is_chosen_or_the_likeliest_that_is_allowed(tokenizer: PreTrainedTokenizerFast) -> None:
    scores = logits(tokenizer, a=1, b=2, c=3)
    assert chosen(tokenizer, Chooser(Sampling()), scores) == "c"
    assert chosen(tokenizer, Chooser(Sampling(), Guide(tokenizer, "start: /[abc]/ /[xyz]/")), scores) == "c"
    assert chosen(tokenizer, Chooser(Sampling(), Guide(tokenizer, "start: /[abx]/ /[xyz]/")), scores) == "b"


def test_what_must_follow_comes_along(tokenizer: PreTrainedTokenizerFast) -> None:
    scores = logits(tokenizer, a=1, b=2)
    for sampling in (Sampling(), Sampling(temperature=0.01)):
        chooser = Chooser(sampling, Guide(tokenizer, 'start: /[abc]/ "read_text" /[xyz]/'))
        assert chosen(tokenizer, chooser, scores) == "bread_text"
    opening = Chooser(Sampling(), Guide(tokenizer, 'start: "read_text" /[ab]/'))
    assert chosen(tokenizer, opening, scores) == "read_text"
    assert not opening.finished
    assert chosen(tokenizer, opening, scores) == "b"
    assert opening.finished


def test_sampling_draws_only_what_is_allowed_and_about_as_often_as_it_is_likely(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    scores = logits(tokenizer, a=9, b=8, c=10)
    drawn = [
        chosen(
            tokenizer, Chooser(Sampling(temperature=1.0, seed=seed), Guide(tokenizer, "start: /[ab]/ /[xyz]/")), scores
        )
        for seed in range(300)
    ]
    assert set(drawn) == {"a", "b"}
    assert drawn.count("a") / len(drawn) == pytest.approx(0.73, abs=0.08)


def test_a_share_of_the_mass_leaves_the_rest_out(tokenizer: PreTrainedTokenizerFast) -> None:
    scores = logits(tokenizer, a=20, b=19, c=15)
    drawn = {chosen(tokenizer, Chooser(Sampling(temperature=1.0, top_p=0.9, seed=seed)), scores) for seed in range(100)}
    assert drawn == {"a", "b"}
