"""`python3 -m manyhands tasks.py`, or a module's name: serves its functions as tasks."""

import importlib
import importlib.util
import os
import sys
from types import ModuleType

from .worker import Worker

USAGE = "usage: python3 -m manyhands FILE.py|MODULE"


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(USAGE)
    # What the module prints while it loads must not reach the pool as a message.
    worker = Worker()
    try:
        module = load(sys.argv[1])
    except BaseException as error:
        worker.fail(error)
    worker.serve(module)


def load(name: str) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = os.path.abspath(name)
    sys.path.insert(0, os.path.dirname(path))
    stem = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        raise ImportError("Cannot load \"%s\": it is no Python file" % name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
