"""The commands as the user types them: arguments, options and their help. Knows nothing of how they are carried out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llavaplus_graph.cli import lazy
from llavaplus_graph.cli.words import Asked, shares, split_words


def ask(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar='PICTURE... "QUESTION"',
            help="Pictures (PNG, JPEG, WEBP) and, last, the question. A thread that goes on needs no picture.",
            show_default=False,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    save: Annotated[Path, typer.Option(metavar="DIR", help="Folder for annotated and edited pictures.")] = Path(
        "llavaplus-out"
    ),
    model: Annotated[
        str | None, typer.Option(metavar="DIR", help="A model directory instead of the bundled LMM.")
    ] = None,
    thread: Annotated[str | None, typer.Option(metavar="NAME", help="Begin or continue this conversation.")] = None,
    store: Annotated[
        str | None, typer.Option(metavar="DIR|URL", help="Where pictures are kept; by default $LLAVAPLUS_IMAGES.")
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(metavar="X1,Y1,X2,Y2", help="A region of the picture, in shares from 0 to 1.")
    ] = None,
    point: Annotated[list[str] | None, typer.Option(metavar="X,Y", help="A point of the picture, in shares.")] = None,
) -> None:
    """Ask about pictures: shows thoughts, actions, what each skill returned, and the answer."""
    pictures, question = split_words(words)
    asked = Asked(
        question=question,
        pictures=tuple(pictures),
        boxes=tuple(shares(text, 4, "box") for text in box or ()),
        points=tuple(shares(text, 2, "point") for text in point or ()),
        as_json=as_json,
        save=save,
        model=model,
        thread=thread,
        store=store,
    )
    lazy.conversation.run_ask(asked)


def skills(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of the table.")] = False,
) -> None:
    """List the skills: their names and arguments, and whether they work offline or need weights."""
    lazy.catalogue.run_skills(as_json=as_json)


Recipe = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, for example train/recipes/mini.yaml.")]


def curate(recipe: Recipe) -> None:
    """Make the instruction data of a recipe: pictures and conversations. Goes on where it was interrupted."""
    lazy.training.run_curate(recipe)


def finetune(recipe: Recipe) -> None:
    """Train the LMM of a recipe on its data. Goes on where it was interrupted."""
    lazy.training.run_finetune(recipe)


def evaluate(
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="[planning|development|reading|sight]...", help="Examinations; by default all."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="DIR", help="A model directory instead of the bundled LMM.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask at most so many questions of each.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, with what was missed.")] = False,
) -> None:
    """Examine an LMM on held-out instructions, on repeating what skills read, and on seeing."""
    lazy.examination.run_evaluate(which or (), model=model, limit=limit, as_json=as_json)
