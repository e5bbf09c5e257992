"""Runs `async def` tasks, each on the loop of the thread that has the task."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Coroutine, Dict, Optional

from .context import Context

_own = threading.local()


def run(
    coroutine: Coroutine[Any, Any, Any], context: Optional[Context], on_stray: Callable[[BaseException], None]
) -> Any:
    """Its result. A cancel of the task cancels the coroutine."""
    loop = _loop(on_stray)
    if context is None:
        return loop.run_until_complete(coroutine)
    task = loop.create_task(coroutine)

    def cancel() -> None:
        loop.call_soon_threadsafe(task.cancel)

    context._on_cancel = cancel
    if context._is_cancelled:
        task.cancel()
    try:
        return loop.run_until_complete(task)
    finally:
        context._on_cancel = None


class Blocking:
    """An asynchronous iterator as a plain one. It keeps a loop of its own: its next value may be asked for on any thread."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self._loop = asyncio.new_event_loop()

    def __iter__(self) -> "Blocking":
        return self

    def __next__(self) -> Any:
        try:
            return self._loop.run_until_complete(self._iterator.__anext__())
        except StopAsyncIteration:
            self._loop.close()
            raise StopIteration from None

    def close(self) -> None:
        if self._loop.is_closed():
            return
        try:
            if hasattr(self._iterator, "aclose"):
                self._loop.run_until_complete(self._iterator.aclose())
        finally:
            self._loop.close()


def _loop(on_stray: Callable[[BaseException], None]) -> asyncio.AbstractEventLoop:
    loop = getattr(_own, "loop", None)
    if loop is None:
        loop = _own.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)

        def report(_loop: asyncio.AbstractEventLoop, context: Dict[str, Any]) -> None:
            error = context.get("exception")
            on_stray(error if error is not None else RuntimeError(context.get("message", "unknown")))

        loop.set_exception_handler(report)
    return loop
