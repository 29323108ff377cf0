"""Imports OpenCV when it is first needed, so that loading the skills costs nothing. Knows nothing about skills."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def opencv() -> Any:  # Any: OpenCV's own annotations describe neither its enums nor its optional arguments
    """The module ``cv2``."""
    import cv2

    return cv2
