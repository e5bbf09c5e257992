"""Where messages to the pool go: gathered while there is more to come, and never kept for long."""

from __future__ import annotations

import os
import select
import threading
import time
from queue import SimpleQueue
from itertools import groupby
from typing import List, Optional, Union

from .frames import JSON, MSGPACK, frame
from .packing import Packing
from .values import to_json

_LATE_SECONDS = 0.002
_MANY = 500
_LONG = 65536


class Channel:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # What waits to be written. Appending and cutting off are atomic.
        self._lines: List[Union[str, bytes]] = []
        # Set from the hello on where messages go as frames; what JSON has not can then be sent by it.
        self.packing: Optional[Packing] = None
        self._flushed_at = 0.0
        self._writing = threading.Lock()
        # Set while the thread below is to flush soon.
        self._is_due = False
        self._due: "SimpleQueue[None]" = SimpleQueue()
        # What a task prints comes in small pieces, which are put together.
        self._printing = threading.Lock()
        self._printed: List[str] = []
        self._printed_by = 0
        self._printed_size = 0
        threading.Thread(target=self._flush_when_due, name="manyhands-flush", daemon=True).start()

    @property
    def is_waiting(self) -> bool:
        """Something waits to be written."""
        return bool(self._lines or self._printed)

    def greet(self, hello: str, packing: Optional[Packing]) -> None:
        """Writes the hello, the last message that is a line by itself where there is a packing."""
        self.flush()
        with self._writing:
            self._write((hello + "\n").encode("utf-8"))
            self.packing = packing

    def send(self, line: Union[str, bytes]) -> None:
        """Leaves within a few milliseconds, with others. JSON, or a message in MessagePack where there is a packing."""
        if self._printed:
            with self._printing:
                self._end_output()
        self._lines.append(line)
        if len(self._lines) > _MANY or len(line) > _LONG:
            self.flush()
        elif not self._is_due:
            self._make_due()

    def tell(self, line: Union[str, bytes]) -> None:
        """Leaves at once, unless others have just now."""
        self.send(line)
        if time.monotonic() - self._flushed_at > _LATE_SECONDS:
            self.flush()

    def send_output(self, task: int, text: str) -> None:
        with self._printing:
            if self._printed_by != task:
                self._end_output()
            self._printed.append(text)
            self._printed_by = task
            self._printed_size += len(text)
        if self._printed_size > _LONG:
            self.flush()
        elif not self._is_due:
            self._make_due()

    def flush(self) -> None:
        """Writes what has been sent so far. Where nobody reads any more, the process ends."""
        if self._printed:
            with self._printing:
                self._end_output()
        if not self._lines:
            return
        with self._writing:
            count = len(self._lines)
            lines = self._lines[:count]
            del self._lines[:count]
            if count > 0:
                self._write(self._bytes_of(lines))
            self._flushed_at = time.monotonic()

    def abandon(self) -> None:
        """In a child that was forked off: what waits is the parent's to say, and the child says nothing."""
        self._descriptor = -1
        self._lines = []
        self._printed = []
        self._writing = threading.Lock()
        self._printing = threading.Lock()

    def _end_output(self) -> None:
        if not self._printed:
            return
        text = to_json("".join(self._printed))
        self._lines.append('{"type":"output","id":%d,"stream":1,"text":%s}' % (self._printed_by, text))
        self._printed = []
        self._printed_size = 0

    def _bytes_of(self, lines: List[Union[str, bytes]]) -> bytes:
        if self.packing is None:
            return _joined(lines)
        if bytes not in map(type, lines):
            return frame(JSON, _joined(lines))
        frames: List[bytes] = []
        for kind, some in groupby(lines, type):
            if kind is str:
                frames.append(frame(JSON, _joined(list(some))))
            else:
                frames.extend(frame(MSGPACK, one) for one in some if isinstance(one, bytes))
        return b"".join(frames)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while len(rest) > 0 and self._descriptor >= 0:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                os._exit(1)

    def _make_due(self) -> None:
        self._is_due = True
        self._due.put(None)

    def _flush_when_due(self) -> None:
        while True:
            self._due.get()
            time.sleep(_LATE_SECONDS)
            self._is_due = False
            self.flush()


def _joined(lines: List[Union[str, bytes]]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8")  # type: ignore[arg-type]
