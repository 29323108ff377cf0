"""The commands as the user types them: arguments, options and their help. Knows nothing of how they are carried out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A server (vLLM, SGLang) that serves the LMM named by --model.")
    ] = None,
    skill: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.py", help="A skill of yours beside the installed ones.")
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
        base_url=base_url,
        skills=tuple(skill or ()),
        thread=thread,
        store=store,
    )
    lazy.conversation.run_ask(asked)


skills = typer.Typer(help="List the skills, or fetch their weights.", invoke_without_command=True)


@skills.callback()
def list_skills(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of the table.")] = False,
    loaded: Annotated[
        bool, typer.Option("--loaded", help="Which models your running processes hold in memory instead.")
    ] = False,
) -> None:
    """List the skills: their names and arguments, and whether they work offline or what they still need."""
    if context.invoked_subcommand is not None:
        return
    (lazy.catalogue.run_loaded if loaded else lazy.catalogue.run_skills)(as_json=as_json)


@skills.command()
def fetch(
    names: Annotated[
        list[str],
        typer.Argument(metavar="SKILL|OWNER/NAME|all", help="Whose weights, or which.", show_default=False),
    ],
) -> None:
    """Bring the weights of skills to this machine; says how large they are and under which licence."""
    lazy.fetching.run_fetch(names)


knowledge = typer.Typer(help="Collections of facts that retrieve_knowledge looks up.", no_args_is_help=True)


@knowledge.callback()
def collections() -> None:
    """Collections of facts that retrieve_knowledge looks up by pictures."""


@knowledge.command("build")
def build_knowledge(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|FILE.jsonl",
            help="Pictures with a text of the same name beside each, or lines with image, facts and source.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The directory to make.", show_default=False)],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR|lookalikes",
            help="What compares pictures; by default SigLIP 2 where its weights are on this machine, else lookalikes, "
            "which needs none and finds near-duplicates only.",
        ),
    ] = None,
    allow_download: Annotated[bool, typer.Option("--allow-download", help="Fetch the weights if need be.")] = False,
) -> None:
    """Make a collection; then set LLAVAPLUS_KNOWLEDGE to its directory."""
    lazy.knowledge.run_build(source, out, model=model, allow_download=allow_download)


Recipe = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, for example train/recipes/mini.yaml.")]


def curate(
    spec: Annotated[
        Path,
        typer.Argument(metavar="SPEC.yaml", help="A spec of skills or of records, or a recipe.", show_default=False),
    ],
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where a spec of skills is worked on: here, or on a Ray cluster.")
    ] = "local",
) -> None:
    """Make instruction data: a labeller writes, the skills really run. Goes on where it was interrupted."""
    lazy.curation.run_curation(spec, engine=engine)


def finetune(
    recipe: Recipe,
    show: Annotated[
        int, typer.Option(min=0, metavar="N", help="Only show N samples, with what is trained in ⟦brackets⟧.")
    ] = 0,
) -> None:
    """Train an LMM by a recipe, from nothing or from a checkpoint. Goes on where it was interrupted."""
    lazy.training.run_finetune(recipe, show=show)


def learn(
    skill: Annotated[Path, typer.Argument(metavar="SKILL.py", help="The file that makes the new skill.")],
    examples: Annotated[
        Path, typer.Option(metavar="FILE", help="Ways to ask for it, in the form of data/phrasings/*.yaml.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The checkpoint to make; it must not exist.")],
    model: Annotated[
        str | None, typer.Option(metavar="DIR", help="The model directory that learns instead of the bundled LMM.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask at most so many questions about the old skills, and the new one.")
    ] = None,
    records: Annotated[
        int, typer.Option(min=30, help="Conversations to train on; fewer are quicker and teach less.")
    ] = 28_000,
    rehearsal: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of them that rehearses what the LMM knows already.")
    ] = 0.8,
) -> None:
    """Teach the LMM a new skill: make data by really running it, tune, and show what was known before and after."""
    lazy.learning.run_learn(skill, examples, out, model=model, limit=limit, records=records, rehearsal=rehearsal)


def evaluate(
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="[planning|unseen|development|reading|sight]...", help="Examinations; by default all."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="DIR", help="A model directory instead of the bundled LMM.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask at most so many questions of each.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, with what was missed.")] = False,
) -> None:
    """Examine an LMM on held-out instructions, on repeating what skills read, and on seeing."""
    lazy.examination.run_evaluate(which or (), model=model, limit=limit, as_json=as_json)


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A checkpoint in the layout of the original code.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The directory to make.")],
    vision_tower: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Its CLIP directory, where the tower is not inside SRC.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Its LLaMA directory, where SRC holds a projector only.")
    ] = None,
    template: Annotated[
        Literal["v0", "v1"] | None,
        typer.Option(help="Its conversation template; by default told from SRC's name."),
    ] = None,
) -> None:
    """Make an original LLaVA or LLaVA-Plus checkpoint one that opens here, and verify it. SRC stays as it is."""
    lazy.convert.run_convert(source, destination, vision_tower=vision_tower, base=base, template=template)
