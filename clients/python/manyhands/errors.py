"""Exceptions as the error objects of the protocol. Whatever was raised gives one."""

from __future__ import annotations

import asyncio
import errno
import os
import traceback
from typing import Any, Dict, List, Optional, Tuple

from .answers import Thrown
from .values import to_json

_DEEPEST_CAUSE = 16
_OWN_MEMBERS = frozenset(["name", "message", "stack", "cause", "thrown"])
# Where the frames lie that lead to a task's own, and say nothing about it.
_PATHS = (os.path.dirname(__file__) + os.sep, os.path.dirname(asyncio.__file__) + os.sep)


def error_object(error: BaseException) -> Dict[str, Any]:
    """Its class's name, its message, the traceback, its cause, and those of its attributes that JSON has. Never raises."""
    return _object(error, ())


def _object(error: BaseException, above: Tuple[int, ...]) -> Dict[str, Any]:
    if isinstance(error, Thrown):
        return {"thrown": error.value if _has_json(error.value) else _shown(error.value)}
    made: Dict[str, Any] = {"name": type(error).__name__, "message": _message(error)}
    if id(error) in above or len(above) > _DEEPEST_CAUSE:
        return made
    above += (id(error),)
    stack = _stack(error)
    if stack is not None:
        made["stack"] = stack
    for name, value in _attributes(error):
        _put(made, name, value, above)
    if error.__cause__ is not None:
        made["cause"] = _object(error.__cause__, above)
    return made


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "a message that cannot be shown"


def _stack(error: BaseException) -> Optional[str]:
    try:
        begins = error.__traceback__
        while begins is not None and begins.tb_frame.f_code.co_filename.startswith(_PATHS):
            begins = begins.tb_next
        return "".join(traceback.format_exception(type(error), error, begins, chain=False))
    except Exception:
        return None


def _attributes(error: BaseException) -> List[Tuple[str, Any]]:
    found: List[Tuple[str, Any]] = []
    if isinstance(error, OSError) and error.errno is not None:
        # As Node calls them.
        found.append(("code", errno.errorcode.get(error.errno)))
        found.append(("errno", error.errno))
        found.append(("path", error.filename))
    try:
        # Of a group of exceptions: as JavaScript's AggregateError calls them.
        found.append(("errors", getattr(error, "exceptions", None)))
        found.extend(vars(error).items())
    except Exception:
        pass
    return [(name, value) for name, value in found if value is not None]


def _put(made: Dict[str, Any], name: str, value: Any, above: Tuple[int, ...]) -> None:
    if name.startswith("_") or name in _OWN_MEMBERS:
        return
    if isinstance(value, BaseException):
        made[name] = _object(value, above)
    elif isinstance(value, (list, tuple)) and any(isinstance(one, BaseException) for one in value):
        made[name] = [_object(one if isinstance(one, BaseException) else Thrown(one), above) for one in value]
    elif _has_json(value):
        made[name] = value


def _has_json(value: Any) -> bool:
    try:
        to_json(value)
        return True
    except Exception:
        return False


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception:
        return "a value that cannot be shown"
