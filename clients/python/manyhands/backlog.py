"""What the pool has sent and nobody has answered yet. One thread fills it, one or several take from it.

Dictionaries and deques change atomically, so that a task is either taken or given back, never both, without a lock for each.
"""

from __future__ import annotations

import threading
from collections import deque
from queue import SimpleQueue
from typing import Any, Callable, Deque, Dict, Iterable, List, Optional, Union

from .context import Context


class Preparation:
    def __init__(self, item: Any) -> None:
        self.item = item


Job = Union[Context, Preparation]


class Backlog:
    def __init__(self) -> None:
        self._ready: Deque[Job] = deque()
        # One True for each entry of _ready; False ends whoever takes it.
        self._tokens: "SimpleQueue[bool]" = SimpleQueue()
        # Those that have not begun. Who takes a task out of it has it.
        self._waiting: Dict[int, Context] = {}
        self._open: Dict[int, Context] = {}
        self._is_draining = False
        self._parking = threading.Lock()

    def add(self, context: Context) -> None:
        self._open[context._id] = context
        self._waiting[context._id] = context
        self._ready.append(context)
        self._tokens.put(True)

    def prepare(self, item: Any) -> None:
        self._ready.append(Preparation(item))
        self._tokens.put(True)

    def take(self, before_waiting: Callable[[], None]) -> Optional[Job]:
        """The next to begin, or a stream that may go on. None when it is over."""
        while True:
            if not self._ready:
                before_waiting()
            if not self._tokens.get():
                # For the next one who asks.
                self._tokens.put(False)
                return None
            job = self._ready.popleft()
            if isinstance(job, Preparation) or job._iterator is not None:
                return job
            # One that was given back has left its place behind.
            if self._waiting.pop(job._id, None) is not None:
                return job

    @property
    def is_empty(self) -> bool:
        """Nobody waits to begin."""
        return not self._ready

    def recall(self, ids: Iterable[int]) -> List[int]:
        """Those that will not begin here."""
        got = [one for one in ids if self._waiting.pop(one, None) is not None]
        for one in got:
            self.answered(one)
        return got

    def cancel(self, id: int) -> bool:
        """True where it had not begun and will not; otherwise it is told, if it is there."""
        if self._waiting.pop(id, None) is not None:
            return True
        context = self._open.get(id)
        if context is not None:
            context._cancel()
            self._unpark(context)
        return False

    def credit(self, id: int, count: int) -> None:
        context = self._open.get(id)
        if context is not None:
            context._granted += count
            self._unpark(context)

    def park(self, context: Context) -> bool:
        """Puts a stream aside until it gets credit; False where it has got some, or is cancelled."""
        with self._parking:
            if context._granted > context._sent or context._is_cancelled:
                return False
            context._is_parked = True
            return True

    def answered(self, id: int) -> None:
        self._open.pop(id, None)
        if self._is_draining and not self._open:
            self._tokens.put(False)

    def drain(self) -> None:
        """Nothing more will be added: over when all are answered."""
        self._is_draining = True
        if not self._open:
            self._tokens.put(False)

    def _unpark(self, context: Context) -> None:
        with self._parking:
            if not context._is_parked:
                return
            context._is_parked = False
        # It has begun long ago: before those that wait.
        self._ready.appendleft(context)
        self._tokens.put(True)
