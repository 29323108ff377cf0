from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.train.word_vectors import word_vectors

WORDS = ["dog", "hound", "invoice", "puppy", "bill", "receipt"]


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package with a small encoder of random weights."""
    folder = tmp_path / "small_encoder" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]), "utf-8")
    torch.manual_seed(0)
    config = BertConfig(vocab_size=11, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    monkeypatch.syspath_prepend(tmp_path)
    return "small_encoder"


def test_every_word_gets_a_vector_of_the_width_asked_for(encoder: str) -> None:
    vectors = word_vectors(encoder, WORDS, 3)
    assert vectors.shape == (6, 3)
    assert vectors.mean(0).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert float(vectors.std()) == pytest.approx(1, abs=1e-3)
    assert len({tuple(row) for row in vectors.tolist()}) == 6


def test_the_first_components_carry_the_most(encoder: str) -> None:
    spread = word_vectors(encoder, WORDS, 4).std(0).tolist()
    assert spread == sorted(spread, reverse=True)


def test_few_words_leave_components_empty(encoder: str) -> None:
    vectors = word_vectors(encoder, WORDS[:2], 8)
    assert vectors.shape == (2, 8)
    assert vectors[:, 2:].abs().max() == 0


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigError, match="no_such_encoder"):
        word_vectors("no_such_encoder", WORDS, 4)
