"""Python functions as the tasks of a manyhands pool, over the stdio protocol, version 1.

    from manyhands import serve

    def double(n):
        return n * 2

    serve({"double": double})

The protocol is described in docs/reference/stdio-protocol.md of manyhands.
"""

from .answers import DeferTask, PermanentError, TaskCancelled, Thrown, WorkerBusy
from .context import Context, current
from .tasks import NOTHING, task
from .worker import serve

__all__ = [
    "NOTHING",
    "Context",
    "DeferTask",
    "PermanentError",
    "TaskCancelled",
    "Thrown",
    "WorkerBusy",
    "current",
    "serve",
    "task",
]
