"""Conversations that outlive the process, in one SQLite file. Knows checkpoints, not what is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from llavaplus_graph.cli.home import home
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.conversation import stored_messages

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.sqlite import SqliteSaver


class Thread:
    """A named conversation.

    Attributes:
        saver: where it is kept.
        config: what names it to the graph.
    """

    def __init__(self, saver: SqliteSaver, name: str) -> None:
        self.saver = saver
        self.config: RunnableConfig = {"configurable": {"thread_id": name}}

    def past(self) -> dict[str, Any]:
        """The conversation's state so far; empty when it is new."""
        found = self.saver.get_tuple(self.config)
        if found is None:
            return {}
        values = found.checkpoint["channel_values"]
        return {**values, "messages": stored_messages(values.get("messages", []))}


@contextmanager
def opened_thread(name: str) -> Iterator[Thread]:
    """Opens a conversation, or begins one.

    Raises:
        ConfigError: the name is empty, or conversations cannot be kept where they should be.
    """
    # Heavy, and only needed here.
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite import SqliteSaver

    if not name.strip():
        raise ConfigError("the name of a thread is empty; give one, for example --thread holiday")
    path = home() / "threads.sqlite"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
            # Strict: a checkpoint that somebody has tampered with builds no objects but messages.
            saver = SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
            saver.setup()
            yield Thread(saver, name.strip())
    except sqlite3.DatabaseError as err:
        raise ConfigError(f"{path} cannot be used ({err}); move it away or set LLAVAPLUS_HOME") from err
    except OSError as err:
        raise ConfigError(f"{path} cannot be used ({err.strerror}); set LLAVAPLUS_HOME to a folder of yours") from err
