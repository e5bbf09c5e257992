"""Which functions are tasks, under which names, and how they are called."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, TypeVar, Union, overload

from .context import Context

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
Tasks = Union[Mapping[str, Function], ModuleType, Function, Iterable[Function], None]

_MARK = "__manyhands_task__"
_CONTEXT_NAMES = ("ctx", "context")
HOOKS = ("setup", "teardown", "prepare")


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()
"""No value at all, which None is not: the caller gets `undefined` of a task that returns it."""


@overload
def task(function: F) -> F: ...
@overload
def task(function: None = None, *, name: Optional[str] = None) -> Callable[[F], F]: ...
def task(function: Optional[F] = None, *, name: Optional[str] = None) -> Any:
    """Marks a function as a task: `@task`, or `@task(name="resize")`. A module that has such serves no others."""

    def mark(marked: F) -> F:
        setattr(marked, _MARK, name or marked.__name__)
        return marked

    return mark if function is None else mark(function)


class Call:
    """A function, and what it wants to be called with."""

    def __init__(self, function: Function) -> None:
        self.function = function
        positional, by_keyword = _parameters(function)
        takes_context_alone = len(positional) == 1 and _means_context(positional[0])
        first = None if takes_context_alone or not positional else positional[0]
        second = positional[1] if len(positional) > 1 else None
        self._takes_input = first is not None
        self._needs_input = first is not None and first.default is first.empty and first.kind != first.VAR_POSITIONAL
        self._is_context_second = second is not None and _is_for_context(second)
        # Where there is no input to put before it, the context goes by its name.
        named = positional[:1] if takes_context_alone else by_keyword if not self._is_context_second else [second]
        self._context_name = named[0].name if named and named[0] is not None else None
        self.takes_input_alone = self._takes_input and not self._is_context_second and self._context_name is None

    def __call__(self, message: Mapping[str, Any], context: Context) -> Any:
        has_input = self._takes_input and ("input" in message or self._needs_input)
        if has_input and self._is_context_second:
            return self.function(message.get("input"), context)
        by_name = {} if self._context_name is None else {self._context_name: context}
        return self.function(message.get("input"), **by_name) if has_input else self.function(**by_name)


def collect(tasks: Tasks) -> Dict[str, Call]:
    """The tasks by name."""
    functions = _functions(tasks)
    if not functions:
        raise ValueError("Cannot serve: there is no task")
    for name, function in functions.items():
        if not callable(function):
            raise TypeError("Cannot serve task \"%s\": %r is not a function" % (name, function))
    return {name: Call(function) for name, function in functions.items()}


def hook(tasks: Tasks, name: str) -> Optional[Function]:
    """The module's own `setup`, `teardown` or `prepare`."""
    found = getattr(tasks, name, None) if isinstance(tasks, ModuleType) else None
    return found if callable(found) and not hasattr(found, _MARK) else None


def _functions(tasks: Tasks) -> Dict[str, Function]:
    if tasks is None:
        import __main__

        return _marked(__main__)
    if isinstance(tasks, ModuleType):
        return _marked(tasks) or _public(tasks)
    if isinstance(tasks, Mapping):
        return {str(name): function for name, function in tasks.items()}
    functions = [tasks] if callable(tasks) else list(tasks)
    return {getattr(function, _MARK, None) or function.__name__: function for function in functions}


def _marked(module: ModuleType) -> Dict[str, Function]:
    return {
        getattr(function, _MARK): function
        for function in vars(module).values()
        if inspect.isroutine(function) and hasattr(function, _MARK)
    }


def _public(module: ModuleType) -> Dict[str, Function]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return {name: getattr(module, name) for name in listed if inspect.isroutine(getattr(module, name))}
    return {
        name: function
        for name, function in vars(module).items()
        # What it imports is not its own.
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
        and name not in HOOKS
    }


def _parameters(function: Function) -> Tuple[List[inspect.Parameter], List[inspect.Parameter]]:
    """Those that go by place, and those by name alone that mean the context."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        # Some built-in functions do not tell.
        parameters = [inspect.Parameter("input", inspect.Parameter.POSITIONAL_ONLY)]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    by_name = inspect.Parameter.KEYWORD_ONLY
    return (
        [one for one in parameters if one.kind in by_place],
        [one for one in parameters if one.kind == by_name and _means_context(one)],
    )


def _is_for_context(second: inspect.Parameter) -> bool:
    if second.kind == second.VAR_POSITIONAL:
        return False
    return second.default is second.empty or _means_context(second)


def _means_context(parameter: inspect.Parameter) -> bool:
    if parameter.name in _CONTEXT_NAMES:
        return True
    annotation = parameter.annotation
    return annotation is Context or (isinstance(annotation, str) and annotation.split(".")[-1] == "Context")
