"""Which functions are tasks, under which names, and how they are called."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, TypeVar, Union, overload

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
        self._takes_input = True
        self._needs_input = True
        self._context_name: Optional[str] = None
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            # Some built-in functions do not tell.
            parameters = []
        else:
            self._read(parameters)
        self.takes_input_alone = self._takes_input and self._context_name is None and not self._is_context_positional

    _is_context_positional = False

    def _read(self, parameters: List[inspect.Parameter]) -> None:
        positional = [
            one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.VAR_POSITIONAL)
        ]
        by_keyword = [one for one in parameters if one.kind == one.KEYWORD_ONLY and _means_context(one)]
        self._takes_input = len(positional) > 0
        if self._takes_input:
            first = positional[0]
            self._needs_input = first.default is first.empty and first.kind != first.VAR_POSITIONAL
        if by_keyword:
            self._context_name = by_keyword[0].name
        elif len(positional) > 1 and positional[1].kind != inspect.Parameter.VAR_POSITIONAL:
            second = positional[1]
            if second.default is second.empty or _means_context(second):
                self._is_context_positional = True
                if second.kind == second.POSITIONAL_OR_KEYWORD:
                    self._context_name = second.name

    def __call__(self, message: Mapping[str, Any], context: Context) -> Any:
        by_name = {} if self._context_name is None else {self._context_name: context}
        if not self._takes_input:
            return self.function(**by_name)
        if "input" in message or self._needs_input:
            if self._is_context_positional:
                return self.function(message.get("input"), context)
            return self.function(message.get("input"), **by_name)
        return self.function(**by_name)


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
    if callable(tasks):
        tasks = [tasks]
    return {getattr(function, _MARK, None) or function.__name__: function for function in tasks}


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


def _means_context(parameter: inspect.Parameter) -> bool:
    if parameter.name in _CONTEXT_NAMES:
        return True
    annotation = parameter.annotation
    return annotation is Context or (isinstance(annotation, str) and annotation.split(".")[-1] == "Context")
