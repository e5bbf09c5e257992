"""Values in MessagePack, where the module `msgpack` is installed: bytes, NaN, points in time and whole numbers of any size beside JSON."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Optional

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# A whole number beyond what a JavaScript number holds goes as its digits.
_WHOLE_NUMBER = 1
_LARGEST = 2**53 - 1
_MOST_DIGITS = 4000
# A map of up to 15 members, and names of members.
_MAP = 0x80
_VALUE = b"\xa5value"
_MS = b"\xa2ms"


class Packing:
    def __init__(self, module: Any) -> None:
        self._module = module

    def pack(self, value: Any) -> bytes:
        """Raises TypeError or ValueError for what MessagePack has not."""
        try:
            packed: bytes = self._module.packb(self._prepared(value))
            return packed
        except RecursionError:
            raise ValueError("it is nested too deep") from None

    def begin(self, members: int, kind: str, id: int, value: Any) -> bytes:
        """A message of so many members up to its value."""
        head = self._module.packb({"type": kind, "id": id})
        return bytes([_MAP + members]) + head[1:] + _VALUE + self.pack(value)

    def finish(self, message: bytes, ms: float) -> bytes:
        """A message that has begun, with its last member."""
        return message + _MS + self.pack(ms)

    def unpack(self, data: bytes) -> Any:
        """Raises ValueError and its like for what is no MessagePack."""
        return self._module.unpackb(data, timestamp=3, ext_hook=self._extension)

    def _prepared(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, int):
            return int(value) if -_LARGEST <= value <= _LARGEST else self._digits(value)
        if isinstance(value, str):
            # Halves of characters have no UTF-8.
            value.encode("utf-8")
            return str(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        if isinstance(value, datetime):
            return self._time(value)
        if isinstance(value, dict):
            return {_key(key): self._prepared(member) for key, member in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._prepared(one) for one in value]
        raise TypeError("Object of type %s has no form in MessagePack" % type(value).__name__)

    def _digits(self, value: int) -> Any:
        # About so many bits; the exact number would take long to find out.
        if value.bit_length() > _MOST_DIGITS * 3.3:
            raise ValueError("a whole number of more than %d digits has no form in MessagePack" % _MOST_DIGITS)
        return self._module.ExtType(_WHOLE_NUMBER, str(value).encode("ascii"))

    def _time(self, value: datetime) -> Any:
        since = value.astimezone(timezone.utc) - _EPOCH
        seconds = since // timedelta(seconds=1)
        return self._module.Timestamp(seconds, since.microseconds * 1000)

    def _extension(self, kind: int, data: bytes) -> Any:
        if kind != _WHOLE_NUMBER or len(data) > _MOST_DIGITS + 1:
            raise ValueError("an unknown extension %d" % kind)
        return int(data)


def load() -> Optional[Packing]:
    """None where the module is not installed, or is too old."""
    try:
        import msgpack
    except ImportError:
        return None
    return Packing(msgpack) if getattr(msgpack, "version", (0,)) >= (1, 0) else None


def _key(key: Any) -> str:
    # As JSON has them.
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float):
        return float.__repr__(key)
    raise TypeError("keys must be str, int, float, bool or None, not %s" % type(key).__name__)
