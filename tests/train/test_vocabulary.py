import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.data.conversations import Composer
from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.slots import dictionary
from llavaplus_graph.protocol import ACTIONS, IMAGE, THOUGHTS, V1, VALUE
from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.train.vocabulary import SPACE, train_tokenizer

NAMES = [info.name for info in CATALOGUE]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    composer = Composer(training_phrasings(), [], random.Random(0))
    records = [composer.conversation(str(number), pictured=False) for number in range(400)]
    return train_tokenizer((V1.render(record.turns()) for record in records), NAMES, 1200)


def pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    return tokenizer.tokenize(text)


def unspaced(tokens: list[str]) -> list[str]:
    bare = [tokens[0].removeprefix(SPACE), *tokens[1:]]
    return bare[1:] if bare[0] == "" else bare


def test_dictionary_words_are_split_the_same_with_and_without_a_space(tokenizer: PreTrainedTokenizerFast) -> None:
    words = dictionary()[::40]
    split = [pieces(tokenizer, word) for word in words]
    assert [unspaced(pieces(tokenizer, f" {word}")) for word in words] == split
    assert any(len(tokens) > 2 for tokens in split)
    assert any(len(tokens) == 1 for tokens in split)


@settings(deadline=None, derandomize=True)
@given(word=st.text(alphabet=st.characters(categories=["Lu", "Ll", "Lo", "Lt"]), min_size=1, max_size=12))
def test_any_word_is_split_the_same_with_and_without_a_space(tokenizer: PreTrainedTokenizerFast, word: str) -> None:
    assert unspaced(pieces(tokenizer, f" {word}")) == pieces(tokenizer, word)


def test_a_frequent_word_takes_one_token_with_and_without_a_space(tokenizer: PreTrainedTokenizerFast) -> None:
    assert pieces(tokenizer, "picture") == ["picture"]
    assert pieces(tokenizer, " picture") == [f"{SPACE}picture"]


@settings(deadline=None, derandomize=True)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_its_tokens(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@settings(deadline=None, derandomize=True)
@given(
    parts=st.lists(
        st.sampled_from(
            [THOUGHTS, ACTIONS, VALUE, IMAGE, "</s>", "0.57", "1.0", " ", "  ", "\n", "USER: ", *NAMES, "Ġ", "½", "a"]
        )
    )
)
def test_texts_full_of_markers_come_back_from_their_tokens(
    tokenizer: PreTrainedTokenizerFast, parts: list[str]
) -> None:
    assert tokenizer.decode(tokenizer.encode("".join(parts))) == "".join(parts)


@pytest.mark.parametrize(
    "text",
    [
        "<s>",
        "</s>",
        "<pad>",
        IMAGE,
        "USER: ",
        " ASSISTANT:",
        f" {THOUGHTS} ",
        f"\n{ACTIONS} ",
        f"\n{VALUE} ",
        '[{"API_name": "',
        '", "API_params": {',
        " to help to answer the question. Please wait for a moment.",
        "\nThe input boxes are: ",
        "\n\nPlease summarize the model outputs and answer my first question: ",
        "0.5",
        "0.57",
        "1.0",
        *NAMES,
    ],
)
def test_what_the_protocol_fixes_is_a_single_token(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert len(tokenizer.encode(text)) == 1


def test_digits_are_apart_so_that_any_number_can_be_copied(tokenizer: PreTrainedTokenizerFast) -> None:
    assert pieces(tokenizer, "4021") == ["4", "0", "2", "1"]


def test_nothing_is_added_to_a_text(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.encode("picture") == tokenizer.encode("picture", add_special_tokens=False)
    assert tokenizer.encode("") == []


def test_it_comes_back_from_its_folder(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    text = f"USER: {IMAGE}\nFind the cormorant ASSISTANT:"
    assert again.encode(text) == tokenizer.encode(text)
    assert again.image_token == IMAGE


def test_the_same_texts_give_the_same_vocabulary() -> None:
    texts = ["USER: find the red cup ASSISTANT:", "USER: read the red sign ASSISTANT:"] * 6
    first, second = (train_tokenizer(texts, NAMES, 300).get_vocab() for _ in range(2))
    assert first == second
