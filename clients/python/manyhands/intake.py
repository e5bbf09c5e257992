"""Reads what the pool sends, on a thread of its own: so a recall, a ping and the pool's end are noticed while tasks run."""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple

from .backlog import Backlog
from .channel import Channel
from .context import Context
from .errors import error_object
from .frames import JSON, FrameSplitter
from .lines import LineSplitter
from .packing import Packing
from .values import TooDeep, from_json, to_json

_CHUNK = 1 << 18
# As a pool writes it.
_TASK = re.compile(r'\{"type":"task","id":(\d+),')

Message = Dict[str, Any]


class Intake:
    def __init__(self, descriptor: int, backlog: Backlog, channel: Channel) -> None:
        self._descriptor = descriptor
        self._backlog = backlog
        self._channel = channel
        self._hello: Message = {}
        self._greeted = threading.Event()
        self._worker_id = ""
        self._is_draining = False
        # Set before the hello is answered, where messages come as frames then.
        self.packing: Optional[Packing] = None

    def wait_for_hello(self) -> Message:
        """The pool's first message."""
        self._greeted.wait()
        return self._hello

    def read(self) -> None:
        """Reads until the end."""
        lines = LineSplitter()
        frames = FrameSplitter()
        while True:
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                break
            try:
                # The pool says nothing between its hello and the answer.
                if self.packing is not None:
                    self._read_frames(frames.push(chunk), self.packing)
                else:
                    self._read_lines(lines.push(chunk))
            except ValueError as error:
                complain(error, repr(chunk[:80]))
        if not self._is_draining:
            # Nobody waits for what it does.
            os._exit(0)

    def _read_frames(self, frames: List[Tuple[int, bytes]], packing: Packing) -> None:
        for kind, payload in frames:
            if kind == JSON:
                self._read_lines(payload.decode("utf-8").rstrip("\n"))
            else:
                self._guard(lambda data: self._take(packing.unpack(data)), payload)

    def _read_lines(self, text: str) -> None:
        if not text:
            return
        try:
            # Messages hold no line feed: all at once takes less time than one by one.
            messages = from_json("[%s]" % text.replace("\n", ","))
        except ValueError:
            for line in text.split("\n"):
                if line.strip():
                    self._read_line(line)
            return
        if all(type(message) is dict and message.get("type") == "task" for message in messages):
            self._guard(self._take_tasks, messages)
        else:
            for message in messages:
                self._guard(self._take, message)

    def _read_line(self, line: str) -> None:
        try:
            message = from_json(line)
        except TooDeep as error:
            begin = _TASK.match(line)
            if begin is None:
                complain(error, line)
            failure = error_object(ValueError("Cannot read the input: %s" % error))
            self._say('{"type":"error","id":%s,"error":%s,"permanent":true}' % (begin.group(1), to_json(failure)))
        except ValueError as error:
            complain(error, line)
        else:
            self._guard(self._take, message)

    def _guard(self, take: Callable[[Any], None], message: Any) -> None:
        try:
            take(message)
        except Exception as error:
            complain(error, repr(message))

    def _take_tasks(self, messages: List[Message]) -> None:
        contexts = []
        for message in messages:
            if type(message["id"]) is not int or type(message["name"]) is not str:
                raise ValueError("its id or name is none")
            context = Context(message, self._worker_id, self._channel)
            if "stream" in message:
                context._granted = message["stream"]
            contexts.append(context)
        self._backlog.add(contexts)

    def _take(self, message: Message) -> None:
        if not isinstance(message, dict):
            raise ValueError("it is no object")
        kind = message.get("type")
        if kind == "task":
            self._take_tasks([message])
        elif kind == "ping":
            self._say('{"type":"pong"}')
        elif kind == "recall":
            ids = message["ids"]
            got = self._backlog.recall(ids)
            self._say('{"type":"recalled","ids":[%s],"got":[%s]}' % (_list(ids), _list(got)))
        elif kind == "cancel":
            id = message["id"]
            if self._backlog.cancel(id):
                self._say('{"type":"cancelled","id":%d}' % id)
                self._backlog.answered(id)
        elif kind == "credit":
            self._backlog.credit(message["id"], message["count"])
        elif kind == "prepare":
            self._backlog.prepare(message.get("item"))
        elif kind == "drain":
            self._is_draining = True
            self._backlog.drain()
        elif kind == "hello":
            self._worker_id = str(message.get("workerId", ""))
            self._hello = message
            self._greeted.set()

    def _say(self, line: str) -> None:
        self._channel.send(line)
        self._channel.flush()


def complain(error: Exception, message: str) -> NoReturn:
    """Who is sent what it cannot understand may have missed a task: its tasks go elsewhere."""
    try:
        text = "Cannot read a message of the pool: %s: it begins with %s" % (error, message[:80])
        sys.stderr.write("manyhands: %s\n" % text)
        sys.stderr.flush()
    finally:
        os._exit(2)


def _list(ids: Any) -> str:
    return ",".join("%d" % id for id in ids)
