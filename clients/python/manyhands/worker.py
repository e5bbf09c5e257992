"""A worker's life: hello, setup, tasks, drain, teardown."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
from typing import Any, NoReturn, Optional

from . import coroutines
from . import packing as packing_module
from .backlog import Backlog
from .channel import Channel
from .context import running
from .errors import error_object
from .intake import Intake
from .runner import Runner
from .standard_streams import StandardStreams
from .tasks import Function, Tasks, collect, hook
from .values import to_json

PROTOCOL = 1
FEATURES = ["ahead", "cancel", "stream"]


def serve(
    tasks: Tasks = None,
    *,
    setup: Optional[Function] = None,
    teardown: Optional[Function] = None,
    prepare: Optional[Function] = None,
    concurrency: Optional[int] = None,
) -> None:
    """Runs functions as a worker's tasks. Returns when the pool wants nothing more; what is printed then is the worker's tail.

    tasks: functions by name, a module, a function or several; nothing for those marked with `@task` in the program itself.
        Each gets the input, and the context as its second parameter where it has one. A generator streams its values.
    setup(data), teardown(): called before the first task and after the last one; a module's own where it has such.
    prepare(item): called with each preparation item, before the first task.
    concurrency: tasks at once at most, each in a thread; None takes as many as the pool asks for, which is 1 unless it was told.
    """
    Worker().serve(tasks, setup=setup, teardown=teardown, prepare=prepare, concurrency=concurrency)


class Worker:
    """From here on this process speaks with the pool, and print() of whatever runs here is no message."""

    def __init__(self) -> None:
        self._streams = StandardStreams()
        self._channel = Channel(self._streams.output)
        self._backlog = Backlog()
        self._intake = Intake(self._streams.input, self._backlog, self._channel)
        self._runner: Optional[Runner] = None
        self._is_child = False
        self._streams.capture(self._printed)
        self._usual_excepthook = threading.excepthook
        threading.excepthook = self._thread_failed
        if threading.current_thread() is threading.main_thread():
            # A terminal sends it to all; the pool decides. Programs that a task starts have it as usual.
            signal.signal(signal.SIGINT, lambda *_: None)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)
        threading.Thread(target=self._intake.read, name="manyhands-intake", daemon=True).start()

    def serve(
        self,
        tasks: Tasks,
        *,
        setup: Optional[Function] = None,
        teardown: Optional[Function] = None,
        prepare: Optional[Function] = None,
        concurrency: Optional[int] = None,
    ) -> None:
        hello = self._intake.wait_for_hello()
        hands = max(1, min(hello.get("concurrency", 1), concurrency or sys.maxsize))
        try:
            calls = collect(tasks)
            _call(setup or hook(tasks, "setup"), hello.get("data"), self._stray)
        except Exception as error:
            self.fail(error)
        answer = {"type": "hello", "protocol": PROTOCOL, "concurrency": hands, "tasks": list(calls), "features": FEATURES}
        packing = packing_module.load() if "msgpack" in hello.get("formats", []) else None
        if packing is not None:
            answer["format"] = "msgpack"
        self._intake.packing = packing
        self._channel.greet(to_json(answer), packing)
        self._backlog.hands = hands
        prepare = prepare or hook(tasks, "prepare")
        runner = self._runner = Runner(calls, hands, self._backlog, self._channel, prepare, self._stray)
        for _ in range(hands - 1):
            threading.Thread(target=runner.work, name="manyhands-hand", daemon=True).start()
        runner.work()
        self._channel.flush()
        self._streams.release()
        try:
            _call(teardown or hook(tasks, "teardown"), None, self._stray)
        except Exception as error:
            self._stray(error)
        self._channel.flush()

    def fail(self, error: BaseException) -> NoReturn:
        """Says that it cannot start, and exits."""
        self._intake.wait_for_hello()
        self._channel.send(to_json({"type": "failed", "error": error_object(error)}))
        self._channel.flush()
        sys.exit(1)

    def _printed(self, text: str) -> None:
        context = running.get()
        if context is None and self._runner is not None:
            context = self._runner.only
        if context is None or self._is_child:
            sys.stderr.write(text)
        else:
            self._channel.send_output(context._id, text)

    def _stray(self, error: BaseException) -> None:
        self._channel.tell(to_json({"type": "stray", "error": error_object(error)}))

    def _thread_failed(self, failure: Any) -> None:
        if self._is_child or failure.exc_value is None or failure.exc_type is SystemExit:
            self._usual_excepthook(failure)
        else:
            self._stray(failure.exc_value)

    def _forked(self) -> None:
        self._is_child = True
        self._channel.abandon()
        self._streams.unlock()


def _call(function: Optional[Function], data: Any, on_stray: Any) -> None:
    if function is None:
        return
    takes_data = len(inspect.signature(function).parameters) > 0
    value = function(data) if takes_data else function()
    if inspect.iscoroutine(value):
        coroutines.run(value, None, on_stray)

