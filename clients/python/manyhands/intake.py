"""Reads what the pool sends, on a thread of its own: so a recall, a ping and the pool's end are noticed while tasks run."""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import Any, Dict, NoReturn

from .backlog import Backlog
from .channel import Channel
from .context import Context
from .errors import error_object
from .lines import LineSplitter
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

    def wait_for_hello(self) -> Message:
        """The pool's first message."""
        self._greeted.wait()
        return self._hello

    def read(self) -> None:
        """Reads until the end."""
        lines = LineSplitter()
        while True:
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                break
            line = ""
            try:
                for line in lines.push(chunk):
                    if line:
                        self._read_line(line)
            except Exception as error:
                begin = line[:80] if line else repr(chunk[:80])
                complain("Cannot read a message of the pool: %s: it begins with %s" % (error, begin))
        if not self._is_draining:
            # Nobody waits for what it does.
            os._exit(0)

    def _read_line(self, line: str) -> None:
        try:
            message = from_json(line)
        except TooDeep as error:
            begin = _TASK.match(line)
            if begin is None:
                raise
            failure = error_object(ValueError("Cannot read the input: %s" % error))
            self._say('{"type":"error","id":%s,"error":%s,"permanent":true}' % (begin.group(1), to_json(failure)))
        else:
            self._take(message)

    def _take(self, message: Message) -> None:
        if not isinstance(message, dict):
            raise ValueError("it is no object")
        kind = message.get("type")
        if kind == "task":
            if type(message["id"]) is not int or type(message["name"]) is not str:
                raise ValueError("its id or name is none")
            context = Context(message, self._worker_id, self._channel)
            if "stream" in message:
                context._granted = message["stream"]
            self._backlog.add(context)
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


def complain(text: str) -> NoReturn:
    """Who is sent what it cannot understand may have missed a task: its tasks go elsewhere."""
    try:
        sys.stderr.write("manyhands: %s\n" % text)
        sys.stderr.flush()
    finally:
        os._exit(2)


def _list(ids: Any) -> str:
    return ",".join("%d" % id for id in ids)
