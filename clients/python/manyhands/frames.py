"""Frames of bytes: four bytes of length, the smallest first, one that tells what the payload is, the payload. Holds no stream itself."""

from __future__ import annotations

import struct
from typing import List, Tuple

JSON = 1
MSGPACK = 3
_HEAD = struct.Struct("<IB")


def frame(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), kind) + payload


class FrameSplitter:
    def __init__(self) -> None:
        self._kept: List[bytes] = []
        self._size = 0

    def push(self, chunk: bytes) -> List[Tuple[int, bytes]]:
        """The kinds and payloads of the frames that end in this chunk. Raises ValueError for what is no frame."""
        self._kept.append(chunk)
        self._size += len(chunk)
        if self._size < self._needed():
            return []
        data = b"".join(self._kept)
        found: List[Tuple[int, bytes]] = []
        at = 0
        while len(data) - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(data, at)
            if kind not in (JSON, MSGPACK):
                raise ValueError("a frame of an unknown kind %d" % kind)
            begin = at + _HEAD.size
            if len(data) < begin + length:
                break
            at = begin + length
            found.append((kind, data[begin:at]))
        self._kept = [data[at:]]
        self._size = len(data) - at
        return found

    def _needed(self) -> int:
        """So many bytes have to be there before a frame can be whole: joining them sooner would copy a large one over and over."""
        if self._size < _HEAD.size:
            return _HEAD.size
        if len(self._kept[0]) < _HEAD.size:
            self._kept = [b"".join(self._kept)]
        return _HEAD.size + int(_HEAD.unpack_from(self._kept[0])[0])
