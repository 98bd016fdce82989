"""Which definitions code reaches: names are followed through syntax trees, and nothing is imported.

From a name to its definition, and from there on through imports (those inside functions, re-exported and renamed ones
too), base classes, decorators, defaults and constants. A class counts as a whole. A module that is reached adds its
statements with effects and those of the modules that it imports; only the `__init__` of a room of `studiolo` is a door,
behind which no more is followed than what a name asks for. Where a name cannot be followed (a module handed on as a
value, a star import, `globals`, `exec`), the whole module counts.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from studiolo.errors import FileError
from studiolo.files import load_bytes

from .syntax import (
    Chain,
    Facts,
    Import,
    bound_by,
    facts_of,
    has_effect,
    imports_of,
    never_runs,
    same_scope,
)


State = tuple[int, ...]

_NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError, FileError)


@dataclass(slots=True)
class Module:
    """A file: its top-level statements, what its names are bound to, what it imports and does when it is imported.

    Attributes:
        names: name -> numbers of statements, and imports.
        defined: names of the functions and classes that it defines.
        imports: made when it is imported. stars: the modules of which it imports everything.
        effects: numbers of the statements that do more than bind names.
        problem: why it is not Python, or empty. Such a file has one fact, the hash of its bytes.
    """

    path: Path
    state: State
    body: list[ast.stmt] = field(default_factory=list)
    names: dict[str, list[int | Import]] = field(default_factory=dict)
    defined: list[str] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    stars: list[Import] = field(default_factory=list)
    effects: list[int] = field(default_factory=list)
    problem: str = ""
    _facts: dict[int, Facts] = field(default_factory=dict)

    def facts(self, number: int) -> Facts:
        """Return what there is to know about a statement."""
        if number not in self._facts:
            try:
                self._facts[number] = facts_of(self.body[number], self.path)
            except RecursionError:
                self._facts[number] = Facts(_hash_of_file(self.path), frozenset(), (), True)
        return self._facts[number]


class Source:
    """The files of a paper and of the package, each read once.

    Args:
        folder: the paper folder. root: the folder of the package.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._modules: dict[Path, Module | None] = {}
        self._labels: dict[Path, str] = {}

    def file(self, path: Path) -> Module | None:
        """Return a file's module; None if there is no such file."""
        if path not in self._modules:
            state = state_of(path)
            self._modules[path] = _parse(path, state) if state else None
        return self._modules[path]

    def module(self, path: Path) -> Module | None:
        """Return the module or the package of that name."""
        return self.file(path.with_name(path.name + ".py")) or self.file(path / "__init__.py")

    def package_of(self, module: Module) -> Module | None:
        """Return the package that is imported before a module, if it is the paper's or Studiolo's."""
        parent = module.path.parent.parent if _is_init(module.path) else module.path.parent
        ours = parent.is_relative_to(self._folder) or parent.is_relative_to(self._root)
        return self.file(parent / "__init__.py") if ours else None

    def is_door(self, module: Module) -> bool:
        """True for the `__init__` of a package that is not the paper's own."""
        return _is_init(module.path) and not module.path.is_relative_to(self._folder)

    def label(self, path: Path | str) -> str:
        """Name a file independently of where the package and the library lie."""
        if isinstance(path, str):
            return path
        if path not in self._labels:
            root = self._folder.parent if path.is_relative_to(self._folder) else self._root
            ours = path.is_relative_to(root)
            self._labels[path] = path.relative_to(root).as_posix() if ours else path.name
        return self._labels[path]


class Reach:
    """Everything reached so far.

    Attributes:
        packages: other packages that are imported. files: what was read, as it was then.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._parts: set[str] = set()
        self._done: set[tuple[int, int | str | tuple[str, ...]]] = set()  # id of a module
        self._is_following = False
        self._steps: list[
            Callable[[], None]
        ] = []  # a list, because code may go deeper than Python does
        self.packages: set[str] = set()
        self.files: dict[Path, State] = {}

    @property
    def digest(self) -> str:
        """16 hex digits over all that was reached."""
        return hashlib.sha256("\n".join(sorted(self._parts)).encode()).hexdigest()[:16]

    def name(self, module: Module, name: str, attributes: Chain = ()) -> None:
        """Reach what a name of a module is bound to."""
        if self._is_new(module, (name, *attributes)):
            self._follow(lambda: self._name(module, name, attributes))

    def whole(self, module: Module) -> None:
        """Reach all of a module, and everything that it imports by name."""
        self._follow(lambda: self._whole(module))

    def module(self, module: Module) -> None:
        """Reach what importing a module does, before any of its names is used."""
        if self._is_new(module, "module"):
            self._follow(lambda: self._module(module))

    def _follow(self, step: Callable[[], None]) -> None:
        """Take a step and all that it leads to; a step that was led to waits for its turn."""
        self._steps.append(step)
        if not self._is_following:
            self._is_following = True
            while self._steps:
                self._steps.pop()()
            self._is_following = False

    def _name(self, module: Module, name: str, attributes: Chain) -> None:
        self.module(module)
        for place in module.names.get(name, ()):
            if isinstance(place, int):
                self._statement(module, place)
            else:
                self._import(place, attributes)

    def _whole(self, module: Module) -> None:
        if self._is_new(module, "whole"):
            self.module(module)
            for number in range(len(module.body)):
                self._statement(module, number)
            for name in module.names:
                self.name(module, name)

    def _module(self, module: Module) -> None:
        self.files[module.path] = module.state
        if module.problem:
            self._part(module, _hash_of_file(module.path))
        for number in module.effects:
            self._statement(module, number)
        for star in module.stars:
            self._import(star, ())
        if not self._source.is_door(module):
            for place in module.imports:
                self._import(place, None)
        package = self._source.package_of(module)
        if package is not None:
            self.module(package)

    def _statement(self, module: Module, number: int) -> None:
        if not self._is_new(module, number):
            return
        facts = module.facts(number)
        self._part(module, facts.digest)
        inside: dict[str, list[Import]] = {}
        for bound, place in facts.imports:
            inside.setdefault(bound, []).append(place)
            self._import(place, None)
        for root, *attributes in facts.chains:
            for place in inside.get(root, ()):
                self._part(module, f"{root} is {self._source.label(place.source)}.{place.name}")
                self._import(place, tuple(attributes))
            for other in module.names.get(root, ()):
                if isinstance(other, Import):
                    self._part(module, f"{root} is {self._source.label(other.source)}.{other.name}")
            self.name(module, root, tuple(attributes))
        if facts.looks_up:
            self.whole(module)

    def _import(self, place: Import, attributes: Chain | None) -> None:
        """Follow an import, and the attributes asked of what it brings; None: only what importing it does."""
        if isinstance(place.source, str):
            self.packages.add(place.source.partition(".")[0])
            return
        source = self._source.module(place.source)
        if source is None:
            return
        self.module(source)
        if place.name is None:
            self._attribute(source, attributes)
        elif place.name in source.names:
            if attributes is not None:
                self.name(source, place.name, attributes)
            elif self._is_new(source, f"import {place.name}"):
                for behind in source.names[place.name]:
                    if isinstance(behind, Import):
                        self._import(behind, None)
        elif (child := self._source.module(place.source / place.name)) is not None:
            self.module(child)
            self._attribute(child, attributes)
        elif attributes is not None:
            self.whole(source)

    def _attribute(self, module: Module, attributes: Chain | None) -> None:
        """Reach an attribute of a module; the module as a whole where it is used as a value."""
        if attributes:
            source = module.path.parent if _is_init(module.path) else module.path.with_suffix("")
            self._import(Import(source, attributes[0]), attributes[1:])
        elif attributes is not None:
            self.whole(module)

    def _is_new(self, module: Module, what: int | str | tuple[str, ...]) -> bool:
        key = (id(module), what)  # the source keeps one of each, and a path takes long to hash
        if key in self._done:
            return False
        self._done.add(key)
        return True

    def _part(self, module: Module, text: str) -> None:
        self._parts.add(f"{self._source.label(module.path)} {text}")


def state_of(path: Path) -> State:
    """Return what changes when a file is written to; empty if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _is_init(path: Path) -> bool:
    return path.name == "__init__.py"


@cache
def _parse(path: Path, state: State) -> Module:
    module = Module(path, state)
    try:
        tree = ast.parse(load_bytes(path) or b"", filename=str(path))
    except _NOT_PYTHON as error:
        module.problem = str(error) or "it is nested too deeply"
        return module
    for statement in tree.body:
        if not never_runs(statement):
            _add(module, statement)
    return module


def _add(module: Module, statement: ast.stmt) -> None:
    """Add a top-level statement: what it binds, what it imports, whether it has an effect."""
    number = len(module.body)
    module.body.append(statement)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        module.defined.append(statement.name)
    for node in same_scope(statement):
        for bound, place in imports_of(node, module.path):
            if bound == "*":
                module.stars.append(Import(place.source, None))
            else:
                module.names.setdefault(bound, []).append(place)
            module.imports.append(Import(place.source, None) if bound == "*" else place)
        for bound in bound_by(node):
            module.names.setdefault(bound, []).append(number)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        module.body.pop()
    elif has_effect(statement):
        module.effects.append(number)


def _hash_of_file(path: Path) -> str:
    try:
        return hashlib.sha256(load_bytes(path) or b"").hexdigest()
    except FileError as error:
        return str(error)
