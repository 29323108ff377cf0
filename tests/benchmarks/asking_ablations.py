"""What the bundled LMM owes to the picture and to the skills when it is asked; nothing is trained.

Run from the repository's root, with the extra `train`:

    python -m tests.benchmarks.asking_ablations [--signs 50] [--per-kind 12] [--model DIR]
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace

from langchain_core.tools import BaseTool

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.evaluate.metrics import quotes_exactly
from llavaplus_graph.evaluate.planning import examine, report, share
from llavaplus_graph.evaluate.reading import legible_signs, repeat_signs
from llavaplus_graph.evaluate.sight import look
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills


def main() -> None:
    """Print one line a condition."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--signs", type=int, default=50)
    parser.add_argument("--per-kind", type=int, default=12, help="pictures of each kind")
    parser.add_argument("--model", default=None, help="another LMM than the bundled one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(folder)
        lmm, skills = ChatLlavaPlus(model=given.model, store=store), load_skills(store=store)
        _picture(lmm, skills, given.per_kind, store)
        _tools(lmm, skills, given.signs, store)


def _picture(lmm: ChatLlavaPlus, skills: Sequence[BaseTool], per_kind: int, store: ImageStore) -> None:
    """Compare plans with the picture, with a blank one and with none."""
    for name, blanked in {"with the picture": False, "picture blanked": True}.items():
        seen = list(look(lmm, skills, per_kind, store, blanked=blanked))
        _row("questions that only the picture answers", name, len(seen), share(one.right for one in seen))
    pictured = [question for question in held_out_questions("development") if question.pictures]
    for name, asked in {
        "with the picture": pictured,
        "without a picture": [replace(question, pictures=0) for question in pictured],
    }.items():
        _, count, skill, _ = report(list(examine(lmm, skills, asked, store)))[0]
        _row("development questions about a picture", name, count, skill)


def _tools(lmm: ChatLlavaPlus, skills: Sequence[BaseTool], count: int, store: ImageStore) -> None:
    """Compare answers about signs that were read with those of the LMM's own eyes."""
    read = list(repeat_signs(lmm, skills, count, store))
    _row("every text of a sign in the answer", "with skills", len(read), share(one.exact for one in read))
    reader = next(skill for skill in skills if skill.name == "read_text")
    alone = [quotes_exactly(lmm.invoke([s.asked]).text, s.texts) for s in legible_signs(reader, count, store)]
    _row("every text of a sign in the answer", "without skills", len(alone), share(alone))


def _row(what: str, how: str, count: int, right: float) -> None:
    print(f"{what:42} {how:18} {count:5} {right:7.1%}", flush=True)


if __name__ == "__main__":
    main()
