"""What the user of ``llavaplus convert`` sees; what is converted, and how exactly, is tested with the conversion."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.cli.app import run
from llavaplus_graph.errors import CheckpointError


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A checkpoint of the original code, with an MLP projector and its tower inside."""
    path = tmp_path / "llava-v1.5-tiny"
    path.mkdir()
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
    }
    text: Any = LlamaConfig(**sizes, vocab_size=6)
    vision: Any = CLIPVisionConfig(**sizes, image_size=32, patch_size=8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(LlavaConfig(text_config=text, vision_config=vision))
    weights = {}
    for name, weight in model.state_dict().items():
        old = re.sub(r"^model\.vision_tower\.(vision_model\.)?", "model.vision_tower.vision_tower.vision_model.", name)
        old = re.sub(r"^model\.multi_modal_projector\.linear_1", "model.mm_projector.0", old)
        old = re.sub(r"^model\.multi_modal_projector\.linear_2", "model.mm_projector.2", old)
        weights[old.replace("model.language_model.", "model.")] = weight.contiguous()
    torch.save(weights, path / "pytorch_model.bin")
    said = {"architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "openai/clip-vit-large-patch14", **sizes}
    (path / "config.json").write_text(json.dumps({**said, "mm_use_im_patch_token": False}))
    vocabulary = {token: index for index, token in enumerate(["<unk>", "<s>", "</s>", "a", "b", "c"])}
    Tokenizer(BPE(vocab=vocabulary, merges=[])).save(str(path / "tokenizer.json"))
    return path


def test_it_prints_the_directory_and_tells_its_steps_on_stderr(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(original), str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'out'}\n"
    assert re.findall(r"… (\w+)", err) == ["reading", "converting", "writing", "verifying"]
    assert "pytorch_model.bin (1 of 1" in err
    assert open_checkpoint(str(tmp_path / "out")).dialect.template == "v1"


def test_the_template_can_be_named(original: Path, tmp_path: Path) -> None:
    assert run(["convert", str(original), str(tmp_path / "out"), "--template", "v0"]) == 0
    assert open_checkpoint(str(tmp_path / "out")).dialect.template == "v0"


def test_an_unconverted_directory_names_the_command_that_converts_it(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(str(original))
    command = str(caught.value).split("convert it with: llavaplus ")[1].split()
    assert run(command) == 0
    assert open_checkpoint(command[-1]).name == "llava-v1.5-tiny-hf"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("nowhere", "There is no directory"),
        ("no config", "has no config.json; it is not a model directory."),
        ("no llava", "holds a GPT2LMHeadModel, not a LLaVA checkpoint."),
        ("mpt", "holds a LlavaMptForCausalLM; only LLaVA on a LLaMA"),
        ("hugging face", "is in the layout of Hugging Face already"),
        ("no weights", "has no weights"),
        ("index", "does not say which file holds which weight"),
        ("shard", "pytorch_model-00002.bin' are missing; fetch the file again"),
        ("cut off", "is damaged"),
        ("no tokenizer", "has neither tokenizer.model nor tokenizer.json"),
        ("taken", "is not empty; name a directory that does not exist yet"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence_and_leaves_nothing_behind(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str, sentence: str
) -> None:
    target = tmp_path / "out"
    source = _damaged(original, target, damage)
    before = sorted(tmp_path.iterdir())
    assert run(["convert", str(source), str(target)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err.splitlines()[-1]
    assert err.count("Error: ") == 1
    assert sorted(tmp_path.iterdir()) == before


def _damaged(path: Path, target: Path, damage: str) -> Path:
    config, weights = path / "config.json", path / "pytorch_model.bin"
    architectures = {"no llava": "GPT2LMHeadModel", "mpt": "LlavaMptForCausalLM"}
    if damage == "nowhere":
        return path / "nowhere"
    if damage in architectures:
        config.write_text(json.dumps({"architectures": [architectures[damage]]}))
    elif damage == "hugging face":
        config.write_text('{"architectures": ["LlavaForConditionalGeneration"]}')
    elif damage in ("index", "shard"):
        listed = {"a": "pytorch_model-00002.bin"} if damage == "shard" else []
        (path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": listed}))
    elif damage == "cut off":
        weights.write_bytes(weights.read_bytes()[:-2_000])
    elif damage == "taken":
        target.mkdir()
        (target / "mine").touch()
    else:
        {"no config": config, "no weights": weights, "no tokenizer": path / "tokenizer.json"}[damage].unlink()
    return path
