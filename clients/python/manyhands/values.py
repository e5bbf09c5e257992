"""Values as JSON text, all of it ASCII, and back."""

from __future__ import annotations

import json
import sys
from typing import Any, Callable

# Deep enough for what a pool sends; a thread's stack holds it. Python 3.12 has a limit of its own, far below.
_DEEPEST = 8000

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_decode_first = json.JSONDecoder().raw_decode


class TooDeep(ValueError):
    """Lists within lists beyond what this Python reads and writes."""


def to_json(value: Any) -> str:
    """Raises TypeError or ValueError for what JSON has not: NaN, bytes, sets, objects, cycles."""
    try:
        return _encode(value)
    except RecursionError:
        return str(_with_room(_encode, value))


def from_json(text: str) -> Any:
    """Raises ValueError for what is no JSON."""
    try:
        return _decode(text)
    except RecursionError:
        return _with_room(_decode, text)


def _decode(text: str) -> Any:
    # The decoder's own `decode` looks for blanks with a regular expression, which takes longer than a small message.
    if text[:1] in " \t\r":
        text = text.lstrip(" \t\r")
    value, end = _decode_first(text)
    if end != len(text) and text[end:].strip(" \t\r"):
        raise ValueError("Extra data: char %d" % end)
    return value


def _with_room(convert: Callable[[Any], Any], value: Any) -> Any:
    # The parser and the writer count their levels against the limit that is meant for calls.
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _DEEPEST))
    try:
        return convert(value)
    except RecursionError:
        raise TooDeep("it is nested too deep") from None
    finally:
        sys.setrecursionlimit(limit)
