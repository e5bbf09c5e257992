"""Splits a byte stream into lines. Holds no stream itself."""

from __future__ import annotations

from typing import List


class LineSplitter:
    def __init__(self) -> None:
        self._kept: List[bytes] = []

    def push(self, chunk: bytes) -> str:
        """The lines that end in this chunk, without the last line feed. Raises UnicodeDecodeError for what is not UTF-8."""
        last = chunk.rfind(b"\n")
        if last < 0:
            self._kept.append(chunk)
            return ""
        whole = chunk[:last]
        if self._kept:
            whole = b"".join(self._kept) + whole
            self._kept = []
        if last + 1 < len(chunk):
            self._kept.append(chunk[last + 1 :])
        return whole.decode("utf-8")
