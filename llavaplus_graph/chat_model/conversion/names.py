"""What the weights of the original code are called in a Hugging Face directory. Knows names only, no tensors, no files.

The names written are those of the first Hugging Face LLaVA directories (`language_model.model…`, `vision_tower…`),
because every version of transformers and every inference server reads them.
"""

import re
from collections.abc import Callable, Iterable

Rename = Callable[[str], str | None]
"""Gives the new name, or None for a weight that is not needed.

Raises:
    KeyError: For a name that has no place in the converted model.
"""

TOWER = "vision_tower.vision_model."
PROJECTOR = "multi_modal_projector."
EMBEDDINGS = "language_model.model.embed_tokens.weight"
HEAD = "language_model.lm_head.weight"
LAST_NORM = "language_model.model.norm.weight"

# Constants that old versions of transformers stored among the weights; the model computes them.
_COMPUTED = re.compile(r"(rotary_emb\.inv_freq|\.position_ids)$")
_RULES = (
    (re.compile(r"^lm_head\.weight$"), HEAD),
    (re.compile(r"^model\.((?:embed_tokens|layers|norm)\..+)$"), r"language_model.model.\1"),
    (re.compile(r"^model\.vision_tower\.vision_tower\.(?:vision_model\.)?(.+)$"), rf"{TOWER}\1"),
    (re.compile(r"^(?:model\.)?mm_projector\.(weight|bias)$"), rf"{PROJECTOR}linear_1.\1"),
    (re.compile(r"^(?:model\.)?mm_projector\.0\.(weight|bias)$"), rf"{PROJECTOR}linear_1.\1"),
    (re.compile(r"^(?:model\.)?mm_projector\.2\.(weight|bias)$"), rf"{PROJECTOR}linear_2.\1"),
)


def from_checkpoint(name: str) -> str | None:
    """Rename a weight of an original LLaVA checkpoint, of its language model or of a projector stored alone."""
    if _COMPUTED.search(name):
        return None
    for pattern, target in _RULES:
        if pattern.match(name):
            return pattern.sub(target, name)
    raise KeyError(name)


def from_tower(name: str) -> str | None:
    """Rename a weight of a CLIP directory; the text side of CLIP and its projections are not needed."""
    if not name.startswith("vision_model.") or _COMPUTED.search(name):
        return None
    return TOWER + name.removeprefix("vision_model.")


def stored(names: Iterable[str]) -> dict[str, str]:
    """Map the names that a model of transformers has in memory to those that are written.

    Args:
        names: Keys of the state dict of a `LlavaForConditionalGeneration`; between versions of transformers they
            differ in one level of the vision tower.
    """
    rules = (
        (re.compile(r"^model\.language_model\."), "language_model.model."),
        (re.compile(r"^model\.vision_tower\.(?:vision_model\.)?"), TOWER),
        (re.compile(r"^model\.multi_modal_projector\."), PROJECTOR),
        (re.compile(r"^lm_head\."), "language_model.lm_head."),
    )
    found = {}
    for name in names:
        written = name
        for pattern, target in rules:
            written = pattern.sub(target, written)
        found[name] = written
    return found
