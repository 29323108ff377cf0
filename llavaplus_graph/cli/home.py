"""Where this program keeps what outlives it: conversations and its log. Knows no format."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path


def home() -> Path:
    """``$LLAVAPLUS_HOME``, or a folder for user data; it need not exist yet."""
    named = os.environ.get("LLAVAPLUS_HOME")
    return Path(named).expanduser() if named else user_data_path("llavaplus-graph", appauthor=False)
