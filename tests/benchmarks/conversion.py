"""Memory and time that `llavaplus convert` takes for a checkpoint of the released one's shape, with fewer layers.

Makes a LLaVA-7B in the layout of the original code with random bfloat16 weights, converts it and compares the peak of
memory, files that are mapped included, with the largest file of weights. Linux only. Run from the repository's root:

    python -m tests.benchmarks.conversion [--layers 8] [--shard-gb 1.2] [--old]
"""

import argparse
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from torch import Tensor

from llavaplus_graph.chat_model.conversion import convert

_WIDTH, _INNER, _ROWS, _EYE, _EYE_INNER = 4096, 11008, 32_001, 1024, 4096
_GB = 1e9


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--layers", type=int, default=8, help="of the language model; the released one has 32")
    parser.add_argument(
        "--shard-gb", type=float, default=1.2, help="size of a file of weights; the released one's is 10"
    )
    parser.add_argument("--old", action="store_true", help="files as before PyTorch 1.6, which cannot be mapped")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "llava_plus_v0"
        largest, total = _make(source, options.layers, options.shard_gb, options.old)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = _memory("VmRSS")
        with _Watch() as watch:
            began = time.perf_counter()
            convert(source, Path(folder) / "out")
            seconds = time.perf_counter() - began
        peak = _memory("VmHWM") - before
    print(
        f"weights {total / _GB:.2f} GB, largest file {largest / _GB:.2f} GB, {'old' if options.old else 'mapped'} files"
    )
    print(f"{'':24}{'GB':>8}{'files':>8}")
    print(f"{'peak, mapped included':24}{peak / _GB:8.2f}{peak / largest:8.2f}")
    print(f"{'peak of its own':24}{watch.peak / _GB:8.2f}{watch.peak / largest:8.2f}")
    print(f"{seconds:.1f} s, {total / _GB / seconds:.2f} GB/s")


class _Watch:
    """Follows the memory that belongs to nothing but this process."""

    def __init__(self) -> None:
        self.peak = 0
        self._before = _memory("RssAnon")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.01):
            self.peak = max(self.peak, _memory("RssAnon") - self._before)


def _make(path: Path, layers: int, shard_gb: float, old: bool) -> tuple[int, int]:
    """Write the checkpoint; gives the bytes of its largest file and of all."""
    path.mkdir()
    config = {
        "architectures": ["LlavaLlamaForCausalLM"],
        "hidden_size": _WIDTH,
        "intermediate_size": _INNER,
        "num_hidden_layers": layers,
        "num_attention_heads": 32,
        "mm_vision_tower": "openai/clip-vit-large-patch14",
        "mm_use_im_patch_token": False,
    }
    (path / "config.json").write_text(json.dumps(config))
    vocabulary = {token: index for index, token in enumerate(["<unk>", "<s>", "</s>", *map(str, range(_ROWS - 3))])}
    Tokenizer(BPE(vocab=vocabulary, merges=[])).save(str(path / "tokenizer.json"))
    listed: dict[str, str] = {}
    part: dict[str, Tensor] = {}
    for name, shape in [*_shapes(layers), ("", ())]:
        if part and (not name or sum(weight.nbytes for weight in part.values()) > shard_gb * _GB):
            file = f"pytorch_model-{len(set(listed.values())) + 1:05}.bin"
            torch.save(part, path / file, _use_new_zipfile_serialization=not old)
            listed |= dict.fromkeys(part, file)
            part = {}
        if name:
            part[name] = torch.ones(shape, dtype=torch.bfloat16) if len(shape) == 1 else _random(shape)
    (path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": listed}))
    sizes = [file.stat().st_size for file in path.glob("*.bin")]
    return max(sizes), sum(sizes)


def _random(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=torch.bfloat16).uniform_(-0.02, 0.02)


def _shapes(layers: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "model.embed_tokens.weight", (_ROWS, _WIDTH)
    for layer in range(layers):
        at = f"model.layers.{layer}."
        yield from ((f"{at}self_attn.{name}_proj.weight", (_WIDTH, _WIDTH)) for name in "qkvo")
        yield from ((f"{at}mlp.{name}_proj.weight", (_INNER, _WIDTH)) for name in ("gate", "up"))
        yield f"{at}mlp.down_proj.weight", (_WIDTH, _INNER)
        yield from ((f"{at}{name}_layernorm.weight", (_WIDTH,)) for name in ("input", "post_attention"))
    yield from (("model.norm.weight", (_WIDTH,)), ("lm_head.weight", (_ROWS, _WIDTH)))
    yield from (("model.mm_projector.weight", (_WIDTH, _EYE)), ("model.mm_projector.bias", (_WIDTH,)))
    at = "model.vision_tower.vision_tower.vision_model."
    yield f"{at}embeddings.class_embedding", (_EYE,)
    yield f"{at}embeddings.patch_embedding.weight", (_EYE, 3, 14, 14)
    yield f"{at}embeddings.position_embedding.weight", (257, _EYE)
    norms = [f"{at}pre_layrnorm", f"{at}post_layernorm"]
    for layer in range(24):
        inside = f"{at}encoder.layers.{layer}."
        norms += [f"{inside}layer_norm1", f"{inside}layer_norm2"]
        sizes = {f"self_attn.{name}_proj": (_EYE, _EYE) for name in ("q", "k", "v", "out")}
        for name, shape in (sizes | {"mlp.fc1": (_EYE_INNER, _EYE), "mlp.fc2": (_EYE, _EYE_INNER)}).items():
            yield f"{inside}{name}.weight", shape
            yield f"{inside}{name}.bias", shape[:1]
    yield from ((f"{name}.{kind}", (_EYE,)) for name in norms for kind in ("weight", "bias"))


def _memory(field: str) -> int:
    """Bytes of this process, as the kernel counts them."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise SystemExit(f"this kernel does not tell {field}")
    return int(found[1]) * 1024


if __name__ == "__main__":
    main()
