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
    # How many threads take from it.
    hands = 1

    def __init__(self) -> None:
        self._ready: Deque[Job] = deque()
        # Wakes one who waits; he wakes the next where there is more to do.
        self._wakes: "SimpleQueue[None]" = SimpleQueue()
        self._is_over = False
        # Those that have not begun. Who takes a task out of it has it.
        self._waiting: Dict[int, Context] = {}
        self._open: Dict[int, Context] = {}
        self._is_draining = False
        self._parking = threading.Lock()

    def add(self, contexts: List[Context]) -> None:
        by_id = {context._id: context for context in contexts}
        self._open.update(by_id)
        self._waiting.update(by_id)
        self._ready.extend(contexts)
        self._wake()

    def prepare(self, item: Any) -> None:
        self._ready.append(Preparation(item))
        self._wake()

    def take(self, before_waiting: Callable[[], None]) -> Optional[Job]:
        """The next to begin, or a stream that may go on. None when it is over."""
        while True:
            try:
                job = self._ready.popleft()
            except IndexError:
                before_waiting()
                if self._is_over:
                    self._wake()
                    return None
                self._wakes.get()
                continue
            if self.hands > 1 and self._ready:
                self._wake()
            if isinstance(job, Preparation) or job._iterator is not None:
                return job
            # One that was given back has left its place behind.
            if self._waiting.pop(job._id, None) is not None:
                return job

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
            self._end()

    def drain(self) -> None:
        """Nothing more will be added: over when all are answered."""
        self._is_draining = True
        if not self._open:
            self._end()

    def _unpark(self, context: Context) -> None:
        with self._parking:
            if not context._is_parked:
                return
            context._is_parked = False
        # It has begun long ago: before those that wait.
        self._ready.appendleft(context)
        self._wake()

    def _end(self) -> None:
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        # A wake that nobody has taken yet is taken after this, by one who then sees what is new.
        if self._wakes.empty():
            self._wakes.put(None)
