"""Converts a LLaVA or LLaVA-Plus directory of the original code into one that Hugging Face opens, and proves it.

One file of weights is in work at a time. What is wrong with the original is found before anything is written.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import LlavaConfig

from llavaplus_graph.chat_model.chat_template import chat_template
from llavaplus_graph.chat_model.conversion import projector, shards, target, tokens, verify
from llavaplus_graph.chat_model.conversion.names import EMBEDDINGS, HEAD, LAST_NORM, PROJECTOR, TOWER
from llavaplus_graph.chat_model.conversion.source import Shard, checkpoint_shards, read_config, tower_shards
from llavaplus_graph.chat_model.conversion.staging import refuse_taken, staged
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.hub import located
from llavaplus_graph.errors import CheckpointError

Report = Callable[[str], None]
_GB = 1e9


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is known before the first file is written."""

    shards: list[Shard]
    config: LlavaConfig
    processor: Any
    dialect: Dialect

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)


def convert(
    source: Path,
    destination: Path,
    *,
    vision_tower: Path | None = None,
    base: Path | None = None,
    template: Literal["v0", "v1"] | None = None,
    report: Report | None = None,
) -> Path:
    """Convert an original-layout checkpoint of LLaVA 1, 1.5 or LLaVA-Plus on a LLaMA.

    Args:
        source: The original directory: config.json, weights (`.bin` or safetensors, whole or in shards), tokenizer.
        destination: The directory to make; it must not exist, or be empty. It appears when everything is verified.
        vision_tower: A CLIP directory, where the weights of the tower are not inside the checkpoint, or where its
            settings cannot be told from them.
        base: A LLaMA directory, where the source holds a projector only.
        template: The conversation template; None tells it from the name of the source, as the original code does.
        report: Called with a sentence at every step.

    Returns:
        The destination.

    Raises:
        CheckpointError: If the source cannot be converted or the destination not be written, in one sentence.
        MissingExtraError: If the tokenizer needs the extra `convert`.
    """
    tell: Report = report or (lambda _: None)
    refuse_taken(destination)
    tell(f"reading {source}")
    plan = _planned(source, vision_tower, base, template)
    with staged(destination, plan.bytes) as folder:
        _write_weights(plan, folder, tell)
        tell("writing tokenizer, processor and settings")
        _write_settings(plan, folder)
        tell("verifying")
        config = verify.check_written(folder)
        projector.check(_original_projector(plan), verify.written_projector(folder), config)
    return destination


def template_of(source: Path) -> Literal["v0", "v1"]:
    """Tell the conversation template from the name of a checkpoint's directory, as the original code does.

    Raises:
        CheckpointError: If the name speaks of a template that this package does not have.
    """
    parts = source.resolve().parts
    name = "_".join(parts[-2:]) if parts[-1].startswith("checkpoint-") else parts[-1]
    lowered = name.lower()
    for other in ("llama-2", "mpt"):
        if other in lowered:
            raise CheckpointError(f"{name!r} speaks the template {other}; give --template v0 or v1 if it does not.")
    return "v1" if "v1" in lowered else "v0"


def _planned(source: Path, vision_tower: Path | None, base: Path | None, template: Literal["v0", "v1"] | None) -> _Plan:
    original = read_config(source)
    dialect = Dialect(template=template or template_of(source), picture=tokens.picture_mark(original))
    found = checkpoint_shards(source, base)
    inside = any(name.startswith(TOWER) for shard in found for name in shard.names)
    name = str(original.get("mm_vision_tower") or "")
    tower = vision_tower or _tower(name, source, needed=not inside)
    if not inside:
        found += tower_shards(tower or source)
    weights = _weights(found)
    tokenizer = tokens.build_tokenizer(base if base and not _has_tokenizer(source) else source, original)
    vision = target.vision_config(name, tower, weights)
    config = target.llava_config(original, vision, weights, tokenizer)
    verify.check_weights(_planned_shapes(config, weights), config)
    _refuse_differences(source, found)
    processor = target.build_processor(config, original, tower, tokenizer, chat_template(dialect))
    verify.check_places(processor, config)
    return _Plan(found, config, processor, dialect)


def _tower(name: str, source: Path, *, needed: bool) -> Path | None:
    """Find the vision tower by the name that the checkpoint gives it: a directory, or a hub id in the local cache."""
    for place in (source / name, *_cached(name)):
        if name and (place / "config.json").is_file():
            return place
    if not needed:
        return None
    raise CheckpointError(
        f"{str(source)!r} has no vision tower inside; fetch it with: hf download {name} --local-dir DIR, "
        "and name it with --vision-tower DIR."
    )


def _cached(name: str) -> list[Path]:
    try:
        return [located(name)]
    except CheckpointError:
        return []


def _weights(found: list[Shard]) -> dict[str, shards.Entry]:
    weights: dict[str, shards.Entry] = {}
    for shard in found:
        twice = weights.keys() & shard.names.keys()
        if twice:
            raise CheckpointError(f"{str(shard.file)!r} holds {shard.names[min(twice)]!r} a second time.")
        weights |= shard.entries
    return weights


def _planned_shapes(config: LlavaConfig, weights: Mapping[str, shards.Entry]) -> dict[str, tuple[int, ...]]:
    """Give the shapes that will be written: rows for new tokens, the second map of a linear projector."""
    text: Any = config.text_config
    found = {name: entry.shape for name, entry in weights.items()}
    for name in (EMBEDDINGS, HEAD):
        if name in found:
            found[name] = (text.vocab_size, *found[name][1:])
    if config.tie_word_embeddings:
        found.pop(HEAD, None)
    first = found.get(f"{PROJECTOR}linear_1.weight")
    if first and config.projector_hidden_act == "linear":
        found |= {f"{PROJECTOR}linear_2.weight": (first[0], first[0]), f"{PROJECTOR}linear_2.bias": (first[0],)}
    return found


def _refuse_differences(source: Path, found: list[Shard]) -> None:
    """Refuse weights that are differences to those of a LLaMA: their norms, about 1 in a model, are about 0."""
    for shard in found:
        if LAST_NORM in shard.names:
            norm = shards.one_tensor(shard.file, shard.names[LAST_NORM])
            if float(norm.float().abs().mean()) < 0.05:
                raise CheckpointError(
                    f"{str(source)!r} seems to hold differences to the weights of a LLaMA (a delta), not a model; "
                    "add them to that LLaMA first, then convert the sum."
                )


def _write_weights(plan: _Plan, folder: Path, tell: Report) -> None:
    files: dict[str, str] = {}
    count = len(plan.shards)
    for number, shard in enumerate(plan.shards, start=1):
        tell(f"converting {shard.file.name} ({number} of {count}, {shard.bytes / _GB:.2f} GB)")
        name = "model.safetensors" if count == 1 else f"model-{number:05}-of-{count:05}.safetensors"
        files |= dict.fromkeys(_write_shard(shard, plan.config, folder / name), name)
    if count > 1:
        size = sum(entry.bytes for name in set(files.values()) for entry in shards.entries(folder / name).values())
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(files.items()))}
        (folder / verify.INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write_shard(shard: Shard, config: LlavaConfig, file: Path) -> list[str]:
    """Write what one file becomes; gives the names. Its tensors are gone before the next file is opened."""
    weights = _converted(shard, config)
    shards.write(weights, file)
    return list(weights)


def _converted(shard: Shard, config: LlavaConfig) -> dict[str, Tensor]:
    text: Any = config.text_config
    found = shards.tensors(shard.file)
    weights = {new: found.pop(old) for new, old in shard.names.items()}
    if config.tie_word_embeddings:
        weights.pop(HEAD, None)
    for name in (EMBEDDINGS, HEAD):
        if name in weights:
            weights[name] = _grown(weights[name], text.vocab_size)
    return projector.completed(weights)


def _grown(rows: Tensor, count: int) -> Tensor:
    """Add rows for new tokens: the mean of the others, which greedy decoding never prefers to all of them."""
    missing = count - rows.shape[0]
    if missing <= 0:
        return rows
    # In parts, because the sum of a large table in another dtype would be taken of a copy.
    total = torch.stack([part.sum(0, dtype=torch.float64) for part in torch.split(rows, 1024)]).sum(0)
    return torch.cat([rows, (total / len(rows)).to(rows.dtype).expand(missing, -1)])


def _write_settings(plan: _Plan, folder: Path) -> None:
    plan.processor.save_pretrained(folder)
    plan.config.save_pretrained(folder)
    target.generation_config(plan.config, plan.dialect).save_pretrained(folder)
    plan.dialect.save(folder)


def _original_projector(plan: _Plan) -> dict[str, Tensor]:
    return {
        new: shards.one_tensor(shard.file, old)
        for shard in plan.shards
        for new, old in shard.names.items()
        if new.startswith(PROJECTOR)
    }


def _has_tokenizer(directory: Path) -> bool:
    return any((directory / name).exists() for name in ("tokenizer.model", "tokenizer.json"))
