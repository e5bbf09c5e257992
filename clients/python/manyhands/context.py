"""A task that runs, as its function sees it."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Union

from .values import to_json

if TYPE_CHECKING:
    from .channel import Channel


class Context:
    """What a task is given beside its input, as its second parameter or by `current()`."""

    # What most tasks never have costs them nothing.
    _event: Optional[threading.Event] = None
    _on_cancel: Optional[Callable[[], None]] = None
    _is_cancelled = False
    # Of a stream: its iterator, values the pool has asked for, values sent, and whether it waits for credit.
    _iterator: Any = None
    _granted = 0
    _sent = 0
    _is_parked = False
    _seconds = 0.0

    def __init__(self, message: Dict[str, Any], worker_id: str, channel: Channel) -> None:
        self._message = message
        self._id: int = message["id"]
        self._channel = channel
        self.worker_id = worker_id

    @property
    def task_id(self) -> Union[int, str]:
        """What the caller calls the task."""
        task_id: Union[int, str] = self._message.get("taskId", self._id)
        return task_id

    @property
    def attempt(self) -> int:
        """1 for the first try."""
        attempt: int = self._message.get("attempt", 1)
        return attempt

    @property
    def priority(self) -> float:
        """Lower runs first."""
        priority: float = self._message.get("priority", 0)
        return priority

    @property
    def cancelled(self) -> threading.Event:
        """Set when nobody waits for the task any more: it was cancelled, or took too long, or its stream was left."""
        # Made when it is asked for: an event costs more than a small task.
        if self._event is None:
            self._event = threading.Event()
            if self._is_cancelled:
                self._event.set()
        return self._event

    def progress(self, value: Any) -> None:
        """Tells the caller how far the task is. Always arrives before the result; a value that cannot be sent is left out."""
        packing = self._channel.packing
        try:
            self._channel.tell('{"type":"progress","id":%d,"value":%s}' % (self._id, to_json(value)))
        except (TypeError, ValueError):
            if packing is None:
                return
            try:
                self._channel.tell(packing.begin(3, "progress", self._id, value))
            except (TypeError, ValueError):
                return

    def log(self, *args: Any) -> None:
        """Writes a line to the pool's log, with the task's id."""
        texts = []
        for value in args:
            try:
                texts.append(to_json(value))
            except (TypeError, ValueError):
                texts.append(to_json(repr(value)))
        self._channel.tell('{"type":"log","id":%d,"args":[%s]}' % (self._id, ",".join(texts)))

    def set_label(self, text: str) -> None:
        """Names what the worker is at, until the task ends."""
        self._channel.tell('{"type":"label","id":%d,"text":%s}' % (self._id, to_json(str(text))))

    def _cancel(self) -> None:
        self._is_cancelled = True
        # Read once: the task may make its event at the same time, and looks at _is_cancelled after that.
        event, on_cancel = self._event, self._on_cancel
        if event is not None:
            event.set()
        if on_cancel is not None:
            on_cancel()


running: "ContextVar[Optional[Context]]" = ContextVar("manyhands_running", default=None)


def current() -> Context:
    """The context of the task that calls it. Raises RuntimeError outside of one."""
    context = running.get()
    if context is None:
        raise RuntimeError("Cannot tell the current task: none runs here")
    return context
