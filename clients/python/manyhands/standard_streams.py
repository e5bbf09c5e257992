"""Keeps the worker's standard streams for the protocol, and tells what tasks print on standard output."""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
from typing import Any, Callable

CHANNEL_VARIABLE = "MANYHANDS_CHANNEL"


class StandardStreams:
    """Takes standard input, and standard output or another descriptor, away from whatever else runs in this process."""

    def __init__(self) -> None:
        self.input = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        # A program that a task starts would read the pool's messages.
        os.dup2(nothing, 0)
        os.close(nothing)
        self._stdout = sys.stdout
        self._stdout.flush()
        channel = os.environ.pop(CHANNEL_VARIABLE, "")
        self._has_channel = channel not in ("", "1")
        if self._has_channel:
            self.output = int(channel)
            os.set_inheritable(self.output, False)
        else:
            self.output = os.dup(1)
            # Programs that a task starts print on standard error.
            os.dup2(2, 1)
        # Python 3.8 keeps what is written on a standard error that is no terminal.
        if hasattr(sys.stderr, "reconfigure"):
            sys.stderr.reconfigure(line_buffering=True)

    def capture(self, write: Callable[[str], None]) -> None:
        """Everything printed from now on, also on sys.stdout.buffer, is handed to `write`."""
        self._captured = _Captured(write)
        sys.stdout = io.TextIOWrapper(
            self._captured,
            encoding="utf-8",
            errors="replace",
            newline="\n",
            write_through=True,
        )

    def unlock(self) -> None:
        """In a child that was forked off: whoever was about to write is not here."""
        self._captured.unlock()

    def release(self) -> None:
        """After the last message, standard output is free for everybody again."""
        sys.stdout.flush()
        sys.stdout = self._stdout
        if not self._has_channel:
            os.dup2(self.output, 1)


class _Captured(io.RawIOBase):
    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._decoding = threading.Lock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def unlock(self) -> None:
        self._decoding = threading.Lock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, data: Any) -> int:
        with self._decoding:
            text = self._decoder.decode(bytes(data))
        if text:
            self._write(text)
        return len(data)
