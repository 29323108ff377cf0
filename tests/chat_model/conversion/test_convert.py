import json
import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from llavaplus_graph.chat_model.checkpoints import check_directory, open_checkpoint
from llavaplus_graph.chat_model.conversion import convert
from llavaplus_graph.chat_model.conversion.convert import template_of
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.chat_model.generation import Sampling
from llavaplus_graph.errors import CheckpointError

V0 = "A chat.###Human: <image>\nWhat does the sign say? 12###Assistant:"
V1 = "A chat. USER: <image>\nWhat? ASSISTANT: Red. </s>USER:  Why?\n ASSISTANT:"
PLAN = '"thoughts\U0001f914" I see.\n"actions\U0001f680" [{"API_name": "sam"}]\n"value\U0001f449" Wait.'
WIDE = Image.effect_noise((70, 40), 90).convert("RGB")
TALL = Image.effect_noise((33, 61), 90).convert("RGB")

Logits = Callable[[Any, str, Image.Image], Tensor]


def logits(directory: Path, prompt: str, picture: Image.Image) -> Tensor:
    opened = open_checkpoint(str(directory))
    inputs = opened.processor(images=picture, text=prompt, return_tensors="pt")
    with torch.inference_mode():
        found: Tensor = opened.model(**inputs).logits[0]
    return found


@pytest.mark.parametrize(
    ("case", "prompt"),
    [
        pytest.param({}, V0, id="v0 linear bin"),
        pytest.param({"picture": TALL}, V0, id="a tall picture"),
        pytest.param({"projector": "mlp2x_gelu", "name": "llava-v1.5-7b"}, V1, id="v1 mlp"),
        pytest.param({"storage": "safetensors", "shards": 3}, V0, id="sharded safetensors"),
        pytest.param({"storage": "safetensors", "shards": 1}, V0, id="one safetensors"),
        pytest.param({"storage": "old bin", "shards": 1}, V0, id="a bin as before PyTorch 1.6"),
        pytest.param({"image_aspect_ratio": "pad"}, V0, id="padded pictures"),
        pytest.param({"image_aspect_ratio": "pad", "picture": TALL}, V0, id="a tall padded picture"),
        pytest.param(
            {"added": ("[PAD]", "<im_start>", "<im_end>"), "mm_use_im_start_end": True},
            V0.replace("<image>", "<im_start><image><im_end>"),
            id="marked pictures",
        ),
        pytest.param({"added": (), "mm_use_im_patch_token": True}, V0, id="a token without a row"),
        pytest.param({"rows": 448}, V0, id="more rows than tokens"),
        pytest.param({"tie": True}, V0, id="tied head"),
        pytest.param({"dtype": torch.bfloat16}, V0, id="bfloat16"),
    ],
)
def test_the_converted_model_computes_what_the_original_computes(
    make: Any, original_logits: Logits, tmp_path: Path, case: dict[str, Any], prompt: str
) -> None:
    picture = case.get("picture", WIDE)
    original = make(**{name: value for name, value in case.items() if name != "picture"})
    wanted = original_logits(original, prompt, picture)
    found = logits(convert(original.path, tmp_path / "out"), prompt, picture)
    assert wanted.abs().max() > 2
    torch.testing.assert_close(found[:, : wanted.shape[1]], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("way", ["option", "name in the configuration"])
def test_a_tower_beside_the_checkpoint_is_taken_in(
    make: Any, clip: Path, original_logits: Logits, tmp_path: Path, way: str
) -> None:
    original = make(inside=False, mm_vision_tower="openai/clip-vit-large-patch14" if way == "option" else str(clip))
    out = convert(original.path, tmp_path / "out", vision_tower=clip if way == "option" else None)
    torch.testing.assert_close(
        logits(out, V0, WIDE)[:, :421], original_logits(original, V0, WIDE), atol=1e-5, rtol=1e-5
    )


def test_a_tower_inside_counts_more_than_one_beside(make: Any, clip: Path, tmp_path: Path) -> None:
    other = {name: weight + 1 for name, weight in load_file(clip / "model.safetensors").items()}
    save_file(other, clip / "model.safetensors")
    original = make()
    assert torch.equal(
        logits(convert(original.path, tmp_path / "with", vision_tower=clip), V0, WIDE),
        logits(convert(original.path, tmp_path / "without"), V0, WIDE),
    )


def test_a_missing_tower_is_named_with_the_command_that_fetches_it(make: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no vision tower inside; fetch it with: hf download openai/clip-vit"):
        convert(make(inside=False).path, tmp_path / "out")


def test_a_projector_and_its_base_become_one_model(
    make: Any, original_logits: Logits, clip: Path, tmp_path: Path
) -> None:
    original = make(inside=False, storage="safetensors", shards=1)
    weights = load_file(original.path / "model.safetensors")
    (base := tmp_path / "base").mkdir()
    (alone := tmp_path / "llava-pretrain-v0").mkdir()
    save_file({name: weight for name, weight in weights.items() if "mm_" not in name}, base / "model.safetensors")
    torch.save({name: weight for name, weight in weights.items() if "mm_" in name}, alone / "mm_projector.bin")
    shutil.copy(original.path / "config.json", alone)
    for name in ("tokenizer.model", "added_tokens.json", "special_tokens_map.json"):
        shutil.copy(original.path / name, base)
    out = convert(alone, tmp_path / "out", base=base, vision_tower=clip)
    torch.testing.assert_close(
        logits(out, V0, WIDE)[:, :421], original_logits(original, V0, WIDE), atol=1e-5, rtol=1e-5
    )


def test_no_number_is_changed(make: Any, tmp_path: Path) -> None:
    original = make(dtype=torch.bfloat16)
    out = convert(original.path, tmp_path / "out")
    written = {name: weight for file in out.glob("*.safetensors") for name, weight in load_file(file).items()}
    assert {weight.dtype for weight in written.values()} == {torch.bfloat16}
    found = [weight for weight in written.values() if weight.ndim > 1]
    for weight in [weight for weight in original.weights.values() if weight.ndim > 1]:
        assert any(weight.shape[1:] == other.shape[1:] and torch.equal(weight, other[: len(weight)]) for other in found)
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"


def test_no_weight_is_left_on_the_meta_device(make: Any, tmp_path: Path) -> None:
    model = open_checkpoint(str(convert(make().path, tmp_path / "out"))).model
    assert {weight.device.type for weight in [*model.parameters(), *model.buffers()]} == {"cpu"}


def test_a_token_that_never_was_trained_is_never_the_most_likely(make: Any, tmp_path: Path) -> None:
    found = logits(convert(make(added=(), mm_use_im_patch_token=True).path, tmp_path / "out"), V0, WIDE)
    assert found.shape[1] == 422
    torch.testing.assert_close(found[:, 420], found[:, :420].mean(1), atol=1e-5, rtol=1e-5)
    assert (found.argmax(1) < 420).all()


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("llava_plus_v0_7b", "v0"),
        ("llava_plus_v1.3_7b", "v1"),
        ("LLaVA-V1.5-13B", "v1"),
        ("llava-7b", "v0"),
        ("llava_plus_v1/checkpoint-2000", "v1"),
    ],
)
def test_the_template_is_told_from_the_name_as_in_the_original(tmp_path: Path, name: str, template: str) -> None:
    assert template_of(tmp_path / name) == template


@pytest.mark.parametrize("name", ["llava-llama-2-13b-chat", "llava-mpt-7b"])
def test_a_name_of_another_template_has_to_be_told_which(make: Any, tmp_path: Path, name: str) -> None:
    path = make(name).path
    with pytest.raises(CheckpointError, match=r"give --template v0 or v1"):
        convert(path, tmp_path / "out")
    assert open_checkpoint(str(convert(path, tmp_path / "out", template="v1"))).dialect.template == "v1"


def test_the_directory_speaks_the_dialect_of_the_original(make: Any, tmp_path: Path) -> None:
    out = convert(make(added=("<im_start>", "<im_end>"), mm_use_im_start_end=True).path, tmp_path / "out")
    dialect = open_checkpoint(str(out)).dialect
    assert (dialect.template, dialect.names, dialect.picture) == ("v0", "wire", "<im_start><image><im_end>")
    prompt = dialect.conversation.render([("human", "<image>\nWhat?")])
    assert prompt.endswith("###Human: <im_start><image><im_end>\nWhat?###Assistant:")


def test_other_software_opens_it_and_renders_the_same_prompt(make: Any, tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    out = convert(make().path, tmp_path / "out")
    processor: Any = AutoProcessor.from_pretrained(out, local_files_only=True)
    model: Any = AutoModelForImageTextToText.from_pretrained(out, local_files_only=True)
    message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}
    prompt = processor.apply_chat_template([message], add_generation_prompt=True)
    assert prompt == open_checkpoint(str(out)).dialect.conversation.render([("human", "<image>\nWhat?")])
    inputs = processor(images=WIDE, text=prompt, return_tensors="pt")
    said = model.generate(**inputs, max_new_tokens=4, tokenizer=processor.tokenizer)
    assert said.shape[1] > inputs["input_ids"].shape[1]


@pytest.mark.parametrize("text", [PLAN, " lead and trail ", "caf\u00e9 \u65e5\u672c 12"])
def test_the_engine_follows_a_grammar_with_it_to_the_byte(make: Any, tmp_path: Path, text: str) -> None:
    opened = open_checkpoint(str(convert(make().path, tmp_path / "out")))
    engine = TransformersEngine(opened.model, opened.processor)
    pieces = list(engine.generate(V0, [WIDE], Sampling(max_tokens=300), f"start: {json.dumps(text)}"))
    assert "".join(piece.text for piece in pieces).strip() == text.strip()
    assert pieces[-1].finish_reason == "stop"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"num_hidden_layers": 3}, "a language model of 3 layers and the weights have 2", id="too few"),
        pytest.param({"num_hidden_layers": 1}, "a language model of 1 layers and the weights", id="too many"),
        pytest.param({"intermediate_size": 40}, r"has the shape \(48, 32\), where .* \(40, 32\)", id="other shape"),
        pytest.param({"image_aspect_ratio": "anyres"}, "prepares pictures as 'anyres'", id="tiles"),
        pytest.param({"mm_projector_type": "mlp9x"}, "projector of type 'mlp9x'", id="other projector"),
    ],
)
def test_weights_that_do_not_fit_the_configuration_are_refused_before_anything_is_written(
    make: Any, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    path = make().path
    (path / "config.json").write_text(json.dumps(json.loads((path / "config.json").read_text()) | change))
    before = sorted(tmp_path.iterdir())
    steps: list[str] = []
    with pytest.raises(CheckpointError, match=sentence):
        convert(path, tmp_path / "out", report=steps.append)
    assert sorted(tmp_path.iterdir()) == before
    assert steps == [f"reading {path}"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("hidden_size", "x"),
        ("num_hidden_layers", 10**6),
        ("num_attention_heads", 0),
        ("num_key_value_heads", 0),
        ("intermediate_size", -1),
        ("hidden_act", "x"),
        ("rope_theta", {}),
        ("max_position_embeddings", [2048]),
        ("mm_vision_select_layer", [-2, -5]),
        ("mm_vision_select_layer", -9),
        ("tokenizer_model_max_length", "x"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_one_sentence(make: Any, tmp_path: Path, setting: str, value: Any) -> None:
    with pytest.raises(CheckpointError) as caught:
        convert(make(config={setting: value}).path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_differences_to_a_llama_are_told_from_a_model(make: Any, tmp_path: Path) -> None:
    original = make(storage="safetensors", shards=1)
    weights = load_file(original.path / "model.safetensors")
    weights["model.norm.weight"] -= 1
    weights["model.norm.weight"] *= 0.1
    save_file(weights, original.path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"differences to the weights of a LLaMA \(a delta\)"):
        convert(original.path, tmp_path / "out")


def test_a_weight_in_two_files_is_refused(make: Any, tmp_path: Path) -> None:
    path = make(storage="safetensors").path
    second = path / "model-00002-of-00002.safetensors"
    save_file(load_file(second) | {"model.embed_tokens.weight": torch.ones(421, 32)}, second)
    with pytest.raises(CheckpointError, match=r"holds 'model.embed_tokens.weight' a second time"):
        convert(path, tmp_path / "out")


def test_a_disk_that_fills_up_leaves_nothing(make: Any, tmp_path: Path) -> None:
    path = make().path
    before = sorted(tmp_path.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # bytes; a shard takes more
    try:
        with pytest.raises(CheckpointError, match=r"'.*out' cannot be written \(.*\); nothing was left behind"):
            convert(path, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(tmp_path.iterdir()) == before


def test_an_interrupt_in_the_middle_leaves_nothing(make: Any, tmp_path: Path) -> None:
    def report(step: str) -> None:
        if "2 of 2" in step:
            raise KeyboardInterrupt

    path = make().path
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        convert(path, tmp_path / "out", report=report)
    assert sorted(tmp_path.iterdir()) == before


def test_the_original_stays_as_it_is_and_a_taken_destination_too(make: Any, tmp_path: Path) -> None:
    path = make().path
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    out = convert(path, tmp_path / "out")
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    written = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    with pytest.raises(CheckpointError, match="is not empty"):
        convert(path, out)
    with pytest.raises(CheckpointError, match="is not empty"):
        convert(path, path)
    assert {file.name: file.stat().st_mtime_ns for file in out.iterdir()} == written
    check_directory(out)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux resets the peak of memory")
@pytest.mark.parametrize("storage", ["bin", "old bin", "safetensors"])
def test_it_takes_less_memory_than_one_and_a_half_files_of_weights(make: Any, tmp_path: Path, storage: str) -> None:
    convert(make("warm", storage=storage).path, tmp_path / "first")  # what is imported and kept is not counted
    path = make(storage=storage, shards=2, width=512, inner=2048, layers=6).path
    largest = max(file.stat().st_size for file in path.iterdir())
    assert largest > 30e6
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    convert(path, tmp_path / "out")
    assert _resident("VmHWM") - before < 1.5 * largest


def _resident(field: str) -> int:
    """Bytes of this process in memory, files that are mapped included: now (`VmRSS`) or at most (`VmHWM`)."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024
