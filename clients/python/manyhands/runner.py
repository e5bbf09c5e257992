"""Runs tasks one after the other and says what became of each. Several threads may share it."""

from __future__ import annotations

import os
import re
import sys
import threading
from time import perf_counter
from types import CoroutineType
from typing import Any, Callable, Dict, List, Optional, Union

from . import coroutines
from .answers import DeferTask, PermanentError, WorkerBusy
from .backlog import Backlog, Preparation
from .channel import Channel
from .context import Context, running
from .errors import error_object
from .tasks import NOTHING, Call, Function
from .values import to_json

# After one that took so long, answers leave before the next of that name: it may keep every other thread from writing.
_LONG_SECONDS = 0.001
_PLAIN = frozenset([int, float, str, bool, type(None), list, dict, tuple])
_END: Any = object()
_LARGEST = 2**53 - 1
_LONG_NUMBER = re.compile(r"(?:^|[\[,:])-?\d{16}\d*(?:$|[\],}])")

Answer = Union[str, bytes]


class Runner:
    # The task that runs, where there can be only one.
    only: Optional[Context] = None

    def __init__(
        self,
        calls: Dict[str, Call],
        hands: int,
        backlog: Backlog,
        channel: Channel,
        prepare: Optional[Function],
        on_stray: Callable[[BaseException], None],
    ) -> None:
        self._calls = calls
        self._is_single = hands == 1
        self._backlog = backlog
        self._channel = channel
        self._prepare = prepare
        self._on_stray = on_stray
        self._is_long: Dict[str, bool] = {}

    def work(self) -> None:
        """Returns when there is nothing left to do, ever."""
        while True:
            job = self._backlog.take(self._channel.flush)
            if job is None:
                return
            if isinstance(job, Preparation):
                self._run_preparation(job)
            else:
                self._run(job)

    def _run(self, context: Context) -> None:
        name = context._message["name"]
        if self._channel.is_waiting and self._is_long.get(name, True):
            self._channel.flush()
        running.set(context)
        if self._is_single:
            self.only = context
        began = perf_counter()
        answer: Optional[Answer]
        try:
            answer = self._begin(name, context) if context._iterator is None else self._pump(name, context)
        except SystemExit as error:
            self._exit(error)
        except BaseException as error:
            answer = _answer_for(context, error)
        finally:
            self.only = None
            running.set(None)
        seconds = perf_counter() - began
        self._is_long[name] = seconds > _LONG_SECONDS
        if answer is None:
            context._seconds += seconds
        elif context._is_cancelled and context._iterator is None:
            self._answer(context, '{"type":"cancelled","id":%d}' % context._id)
        else:
            self._answer(context, self._finished(answer, (context._seconds + seconds) * 1000))

    def _finished(self, answer: Answer, ms: float) -> Answer:
        if isinstance(answer, str):
            return '%s,"ms":%.3f}' % (answer, ms)
        assert self._channel.packing is not None
        return self._channel.packing.finish(answer, ms)

    def _answer(self, context: Context, line: Answer) -> None:
        self._channel.send(line)
        self._backlog.answered(context._id)

    # What these give lacks its last member: text without the brace, or a map of MessagePack. None: the task goes on later.

    def _begin(self, name: str, context: Context) -> Optional[Answer]:
        message = context._message
        call = self._calls.get(name)
        if call is None:
            return _answer_for(context, _unknown(name, self._calls), is_permanent=True)
        if call.takes_input_alone and "input" in message:
            value = call.function(message["input"])
        else:
            value = call(message, context)
        if type(value) not in _PLAIN:
            if isinstance(value, CoroutineType):
                value = coroutines.run(value, context, self._on_stray)
            if hasattr(value, "__anext__"):
                value = coroutines.Blocking(value)
            if hasattr(value, "__next__"):
                if "stream" in message:
                    return self._begin_stream(name, context, value)
                value = _values_of(value, context)
        if "stream" in message:
            return self._begin_stream(name, context, iter([value]))
        return self._result(name, context, value)

    def _begin_stream(self, name: str, context: Context, iterator: Any) -> Optional[Answer]:
        context._iterator = iterator
        return self._pump(name, context)

    def _pump(self, name: str, context: Context) -> Optional[Answer]:
        """Sends values as long as there is credit."""
        iterator = context._iterator
        while True:
            if context._is_cancelled:
                _close(iterator)
                return '{"type":"result","id":%d' % context._id
            if context._sent >= context._granted:
                if self._backlog.park(context):
                    return None
                continue
            value = next(iterator, _END)
            if value is _END:
                return '{"type":"result","id":%d' % context._id
            try:
                item = self._begun("item", 3, context, value)
            except (TypeError, ValueError) as error:
                _close(iterator)
                return _answer_for(context, _unsendable(name, error))
            context._sent += 1
            self._channel.tell(item + "}" if isinstance(item, str) else item)

    def _result(self, name: str, context: Context, value: Any) -> Answer:
        if type(value) is int and -_LARGEST <= value <= _LARGEST:
            # What the encoder would come to as well, at a third of the time.
            return '{"type":"result","id":%d,"value":%d' % (context._id, value)
        try:
            return self._begun("result", 4, context, value)
        except (TypeError, ValueError) as error:
            return _answer_for(context, _unsendable(name, error))

    def _begun(self, kind: str, members: int, context: Context, value: Any) -> Answer:
        """A message with a value, as JSON where that has all of it. Raises TypeError or ValueError for what cannot be sent."""
        if value is NOTHING:
            return '{"type":"%s","id":%d' % (kind, context._id)
        packing = self._channel.packing
        try:
            text = to_json(value)
            # JavaScript reads these from JSON as other numbers.
            if packing is None or not _LONG_NUMBER.search(text):
                return '{"type":"%s","id":%d,"value":%s' % (kind, context._id, text)
        except (TypeError, ValueError):
            if packing is None:
                raise
        return packing.begin(members, kind, context._id, value)

    def _run_preparation(self, job: Preparation) -> None:
        try:
            if self._prepare is None:
                raise TypeError("Cannot prepare: this worker has no prepare function")
            value = self._prepare(job.item)
            if isinstance(value, CoroutineType):
                coroutines.run(value, None, self._on_stray)
        except SystemExit as error:
            self._exit(error)
        except BaseException as error:
            self._channel.send(to_json({"type": "failed", "error": error_object(error)}))
            self._exit(SystemExit(1))
        self._channel.tell('{"type":"prepared"}')

    def _exit(self, error: SystemExit) -> None:
        """A task may end its worker: what was answered before it is told."""
        self._channel.flush()
        if threading.current_thread() is threading.main_thread():
            raise error
        if error.code is not None and not isinstance(error.code, int):
            sys.stderr.write("%s\n" % (error.code,))
        sys.stderr.flush()
        os._exit(error.code if isinstance(error.code, int) else 0 if error.code is None else 1)


def _answer_for(context: Context, error: BaseException, is_permanent: bool = False) -> str:
    if isinstance(error, WorkerBusy):
        return '{"type":"busy","id":%d,"retryAfterMs":%s' % (context._id, to_json(error.retry_after_ms))
    if isinstance(error, DeferTask):
        priority = "" if error.priority is None else ',"priority":' + to_json(error.priority)
        return '{"type":"defer","id":%d,"delayMs":%s%s' % (context._id, to_json(error.delay_ms), priority)
    permanent = ',"permanent":true' if is_permanent or isinstance(error, PermanentError) else ""
    return '{"type":"error","id":%d,"error":%s%s' % (context._id, to_json(error_object(error)), permanent)


class UnknownTaskError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "ERR_UNKNOWN_TASK"


class NotSerializableError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "ERR_NOT_SERIALIZABLE"


def _unknown(name: str, calls: Dict[str, Call]) -> UnknownTaskError:
    known = ", ".join('"%s"' % one for one in calls)
    return UnknownTaskError('Cannot run task "%s": the worker has %s' % (name, known))


def _unsendable(name: str, error: Exception) -> NotSerializableError:
    return NotSerializableError('Cannot send the result of task "%s": %s' % (name, error))


def _values_of(iterator: Any, context: Context) -> List[Any]:
    values = []
    for value in iterator:
        values.append(value)
        if context._is_cancelled:
            _close(iterator)
            break
    return values


def _close(iterator: Any) -> None:
    """Its `finally` runs."""
    if hasattr(iterator, "close"):
        iterator.close()
