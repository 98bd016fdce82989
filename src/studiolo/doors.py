"""Doors that open a module of their room when a name of it is first asked for, so that what is not used costs nothing."""

from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from sys import modules
from typing import Any


def late(room: str, names_of: Sequence[str], public: Collection[str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a room.

    Args:
        room: the package.
        names_of: its modules that are opened late, in the order in which they are asked.
        public: the names that the room has; no other is looked for.
    """

    def __getattr__(name: str) -> Any:
        for module in names_of if name in public else ():
            found = import_module(f"{room}.{module}")
            if name == module or hasattr(found, name):
                value = found if name == module else getattr(found, name)
                setattr(modules[room], name, value)
                return value
        raise AttributeError(f"module {room!r} has no attribute {name!r}")

    return __getattr__
