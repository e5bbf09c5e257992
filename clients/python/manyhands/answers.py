"""What a task raises to say something other than "I failed"."""

from __future__ import annotations

import math
from typing import Any, Optional


class WorkerBusy(Exception):
    """This worker cannot run the task now, another may. Costs no attempt."""

    def __init__(self, retry_after_ms: float = 1000) -> None:
        """retry_after_ms: for about how long this worker is given no tasks."""
        super().__init__("the worker cannot take the task now")
        self.retry_after_ms = _number("retry_after_ms", retry_after_ms)


class DeferTask(Exception):
    """Puts the task back into the queue, with its id and input. Costs no attempt, and holds no worker meanwhile."""

    def __init__(self, delay_ms: float = 0, priority: Optional[float] = None) -> None:
        """delay_ms: how long it waits at least. priority: the new one, lower runs first; None leaves it as it is."""
        super().__init__("the task asks to run later")
        self.delay_ms = _number("delay_ms", delay_ms)
        self.priority = None if priority is None else _number("priority", priority)


class PermanentError(Exception):
    """Fails the task for good, whatever retries are left."""


class TaskCancelled(Exception):
    """Says that the task has stopped because it was cancelled. Any other end of a cancelled task says the same."""


class Thrown(Exception):
    """Fails the task with a value that is no error: what JavaScript means by `throw value`."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def _number(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError("Cannot take %s %r: it is not a finite number" % (name, value))
    return value
