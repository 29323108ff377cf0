"""What thoughts are worth: the bundled LMM goes on learning with them and without, and is asked the same.

Both rows see the same text conversations in the same order from the same seed; one has its thoughts taken out. They are
examined on the `development` instructions without pictures. Run from the repository's root, with the extra `train`:

    python -m tests.benchmarks.thoughts_ablation [--records 8000] [--questions 360]
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.data.collate import Collator, tokenize
from llavaplus_graph.data.conversations import Composer
from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.data.recipe import Recipe, Stage, Tuning
from llavaplus_graph.data.record import Record
from llavaplus_graph.evaluate.planning import examine, report
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills
from llavaplus_graph.train.build import export
from llavaplus_graph.train.finetune import fit


def main() -> None:
    """Train both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=8_000)
    parser.add_argument("--questions", type=int, default=360)
    options = parser.parse_args()
    print(f"{'variant':20} {'conversations':>13} {'right skill':>12} {'and arguments':>14}")
    _row("with thoughts", options.records, options.questions, thoughts=True)
    _row("without thoughts", options.records, options.questions, thoughts=False)


def _row(name: str, count: int, questions: int, *, thoughts: bool) -> None:
    """Train one variant, examine it and print its line."""
    bundled = open_checkpoint(None)
    model, tokenizer, template = bundled.model, bundled.processor.tokenizer, bundled.dialect.conversation
    model.set_attn_implementation("eager")
    seats = int(model.config.image_seq_length)
    with tempfile.TemporaryDirectory() as folder:
        recipe = Recipe(Path(folder) / "run", tuning=Tuning(save_steps=10**9, log_steps=10**9))
        samples = [tokenize(r, tokenizer, template, seats) for r in _records(count, thoughts=thoughts)]
        stage = Stage("ablation", count, learning_rate=3e-4, final_rate=0.02)
        fit(recipe, stage, model, samples, Collator({}, int(tokenizer.pad_token_id)))
        target = Path(folder) / "export"
        export(model, bundled.processor, target)
        bundled.dialect.save(target)
        store = ImageStore(Path(folder) / "store")
        every = held_out_questions("development")  # in the order of skills, so that a part must be spread
        asked = [replace(every[index * len(every) // questions], pictures=0) for index in range(questions)]
        lmm = ChatLlavaPlus(model=str(target), store=store)
        _, _, skill, call = report(list(examine(lmm, load_skills(store=store), asked, store)))[0]
    print(f"{name:20} {count:13,} {skill:12.1%} {call:14.1%}", flush=True)


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
