"""The command line as a whole: its commands, its exit codes and the one sentence that every error becomes.

    0    done
    1    the network failed, or a bug, of which the log has the traceback
    2    the user's mistake, or something that is missing
    130  interrupted

Knows no skill and no model. What is imported here must be quick to import, so that ``--help`` is; a command takes the
rest from `llavaplus_graph.cli.lazy` when it runs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from llavaplus_graph.cli import logs
from llavaplus_graph.cli.commands import ask, convert, curate, evaluate, finetune, knowledge, learn, skills
from llavaplus_graph.errors import DownloadError, LlavaPlusError

_LOG = logging.getLogger(__name__)
_INTERRUPTED = 130
_UsageError: type[Exception] = typer.BadParameter.__bases__[
    0
]  # Click's, which newer versions of Typer bring themselves

app = typer.Typer(
    name="llavaplus",
    help="Ask a multimodal model about pictures; it plans vision skills, reads their results and answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(ask)
app.add_typer(skills, name="skills")
app.add_typer(knowledge, name="knowledge")
app.command()(curate)
app.command()(finetune)
app.command()(learn)
app.command()(evaluate)
app.command()(convert)


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks on stderr instead of logging them.")] = False,
) -> None:
    """Options of every command."""
    logs.configure(debug=debug)


def run(arguments: Sequence[str] | None = None, *, commands: typer.Typer = app) -> int:
    """Runs a command line.

    Args:
        arguments: without the program's name; by default those of the process.
        commands: what there is to run.

    Returns:
        The exit code.
    """
    try:
        code = commands(args=arguments, prog_name="llavaplus", standalone_mode=False)
        # An interrupt comes back as an exit code, or raises Abort, depending on Typer's version.
        return _told("interrupted", code) if code == _INTERRUPTED else code if isinstance(code, int) else 0
    except DownloadError as err:
        return _told(str(err), 1)
    except LlavaPlusError as err:
        return _told(str(err), 2)
    except _UsageError as err:
        return _told(err.format_message().removeprefix("Invalid value: "), 2)  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        return _told("interrupted", _INTERRUPTED)
    # Whatever else is raised is a bug, and its traceback is for the log.
    except Exception as err:  # noqa: BLE001
        _LOG.error("llavaplus failed", exc_info=err)
        return _told(f"llavaplus failed unexpectedly ({type(err).__name__}); {logs.where()}", 1)
    finally:
        logs.close()


def main() -> NoReturn:
    """The entry point of the installed command."""
    sys.exit(run())


def _told(sentence: str, code: int) -> int:
    if sentence:  # a bare ``llavaplus`` has shown its help instead
        print(f"Error: {' '.join(sentence.split())}", file=sys.stderr)
    return code
