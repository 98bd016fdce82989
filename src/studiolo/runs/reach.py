"""Which definitions code reaches: names are followed through syntax trees, and nothing is imported.

From a name to its definition, and from there on through imports (those inside functions, re-exported and renamed ones
too), base classes, decorators, defaults and constants. A class counts as a whole. A module that is reached adds its
statements with effects and those of the modules that it imports; only the `__init__` of a room of `studiolo` is a door,
behind which no more is followed than what a name asks for. Where a name cannot be followed (a module handed on as a
value, a star import, `globals`, `exec`), the whole module counts.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


State = tuple[int, ...]
Chain = tuple[str, ...]  # a name and the attributes asked of it: ("np", "random", "default_rng")

# What a module's top level may call, or decorate with, without an effect elsewhere; classes too.
_HARMLESS = {*dir(builtins)} - {"__import__", "eval", "exec", "input", "open", "print", "setattr"}
_HARMLESS_MODULES = {"functools", "itertools", "math", "operator", "re", "string", "typing"}
_HARMLESS_DECORATORS = _HARMLESS | {
    *("cache", "cached_property", "contextmanager", "dataclass", "final", "inference_mode", "jit"),
    *("jaxtyped", "lru_cache", "njit", "no_grad", "overload", "runtime_checkable", "wraps"),
}
_LOOKS_UP_BY_NAME = {"__import__", "eval", "exec", "globals", "import_module"}
_NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError, OSError)

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Scope = _Function | ast.ClassDef | _Comprehension


@dataclass(frozen=True, slots=True)
class Import:
    """One name of an import statement.

    Attributes:
        source: the folder or file, without its suffix, that is imported from; of another package its dotted name.
        name: what is taken from there; None for the module itself.
    """

    source: Path | str
    name: str | None


@dataclass(frozen=True, slots=True)
class _Facts:
    """A top-level statement: the hash of its tree, the names it uses, the imports inside, whether it looks names up."""

    digest: str
    chains: frozenset[Chain]
    imports: tuple[tuple[str, Import], ...]
    looks_up: bool


@dataclass(slots=True)
class Module:
    """A file: its top-level statements, what its names are bound to, what it imports and does when it is imported.

    Attributes:
        names: name -> numbers of statements, and imports.
        defined: names of the functions and classes that it defines.
        imports: made when it is imported. stars: the modules of which it imports everything.
        effects: numbers of the statements that do more than bind names.
        is_python: False if it cannot be parsed; then its one fact is the hash of its bytes.
    """

    path: Path
    state: State
    body: list[ast.stmt] = field(default_factory=list)
    names: dict[str, list[int | Import]] = field(default_factory=dict)
    defined: list[str] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    stars: list[Import] = field(default_factory=list)
    effects: list[int] = field(default_factory=list)
    is_python: bool = True
    _facts: dict[int, _Facts] = field(default_factory=dict)

    def facts(self, number: int) -> _Facts:
        """Return what there is to know about a statement."""
        if number not in self._facts:
            try:
                self._facts[number] = _facts_of(self.body[number], self.path)
            except RecursionError:
                self._facts[number] = _Facts(_hash_of_file(self.path), frozenset(), (), True)
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
        self._done: set[tuple[Path, int | str]] = set()
        self.packages: set[str] = set()
        self.files: dict[Path, State] = {}

    @property
    def digest(self) -> str:
        """16 hex digits over all that was reached."""
        return hashlib.sha256("\n".join(sorted(self._parts)).encode()).hexdigest()[:16]

    def name(self, module: Module, name: str, attributes: Chain = ()) -> None:
        """Reach what a name of a module is bound to."""
        self.module(module)
        for place in module.names.get(name, ()):
            if isinstance(place, int):
                self._statement(module, place)
            else:
                self._import(place, attributes)

    def whole(self, module: Module) -> None:
        """Reach all of a module, and everything that it imports by name."""
        if self._is_new(module, "whole"):
            self.module(module)
            for number in range(len(module.body)):
                self._statement(module, number)
            for name in module.names:
                self.name(module, name)

    def module(self, module: Module) -> None:
        """Reach what importing a module does, before any of its names is used."""
        if not self._is_new(module, "module"):
            return
        self.files[module.path] = module.state
        if not module.is_python:
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

    def _is_new(self, module: Module, what: int | str) -> bool:
        key = (module.path, what)
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
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except _NOT_PYTHON:
        module.is_python = False
        return module
    for statement in tree.body:
        if not _never_runs(statement):
            _add(module, statement)
    return module


def _hash_of_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return str(error.strerror)


def _never_runs(statement: ast.stmt) -> bool:
    """True for a docstring, and for what only a type checker or a script runs."""
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.If(
            test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), orelse=[]
        ):
            return True
        case ast.If(test=ast.Compare(left=ast.Name("__name__")), orelse=[]):
            return True
    return False


def _add(module: Module, statement: ast.stmt) -> None:
    """Add a top-level statement: what it binds, what it imports, whether it has an effect."""
    number = len(module.body)
    module.body.append(statement)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        module.defined.append(statement.name)
    for node in _same_scope(statement):
        for bound, place in _imports_of(node, module.path):
            if bound == "*":
                module.stars.append(Import(place.source, None))
            else:
                module.names.setdefault(bound, []).append(place)
            module.imports.append(Import(place.source, None) if bound == "*" else place)
        for bound in _bound_by(node):
            module.names.setdefault(bound, []).append(number)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        module.body.pop()
    elif _has_effect(statement):
        module.effects.append(number)


def _imports_of(node: ast.AST, path: Path) -> Iterator[tuple[str, Import]]:
    """Yield the name that each part of an import statement binds, and what to."""
    match node:
        case ast.Import():
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield (
                    alias.asname or first,
                    Import(_source(alias.name if alias.asname else first), None),
                )
                yield "", Import(_source(alias.name), None)  # it is imported, whatever is bound
        case ast.ImportFrom(level=0, module=str(name)):
            for alias in node.names:
                yield alias.asname or alias.name, Import(_source(name), alias.name)
        case ast.ImportFrom(level=level, module=name):
            source = path.parents[level - 1].joinpath(*(name.split(".") if name else ()))
            for alias in node.names:
                yield alias.asname or alias.name, Import(source, alias.name)


def _source(dotted: str) -> Path | str:
    first, *rest = dotted.split(".")
    package = Path(__file__).parents[1]
    return package.joinpath(*rest) if first == package.name else dotted


def _same_scope(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a statement whose names belong to the scope that it stands in."""
    pending = [statement]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _Scope):
            pending.extend(ast.iter_child_nodes(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name


def _has_effect(statement: ast.stmt) -> bool:
    """True if a top-level statement may do more than bind names."""
    match statement:
        case (
            ast.FunctionDef(decorator_list=decorators)
            | ast.AsyncFunctionDef(decorator_list=decorators)
        ):
            return not all(map(_is_harmless_decorator, decorators))
        case ast.ClassDef(decorator_list=decorators, keywords=keywords):
            return bool(keywords) or not all(map(_is_harmless_decorator, decorators))
        case ast.Assign(targets=targets, value=value):
            return not all(map(_is_name, targets)) or _calls(value)
        case ast.AnnAssign(target=target, value=found):
            return not _is_name(target) or (found is not None and _calls(found))
    return type(statement).__name__ != "TypeAlias"


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_is_name, target.elts))
    return isinstance(target, ast.Name)


def _is_harmless_decorator(decorator: ast.expr) -> bool:
    chain = _chain(decorator.func if isinstance(decorator, ast.Call) else decorator)
    return bool(chain) and (chain[-1] in _HARMLESS_DECORATORS or chain[0] in _HARMLESS_MODULES)


def _calls(value: ast.expr) -> bool:
    """True if evaluating an expression calls something that may have an effect."""
    return any(
        not _is_harmless_call(node.func) for node in ast.walk(value) if isinstance(node, ast.Call)
    )


def _is_harmless_call(function: ast.expr) -> bool:
    chain = _chain(function)
    if not chain:  # a method of a literal, or of what another call returned
        return isinstance(function, ast.Attribute) and not isinstance(function.value, ast.Name)
    return (
        chain[0] in _HARMLESS
        or chain[0] in _HARMLESS_MODULES
        or chain[-1].lstrip("_")[:1].isupper()  # a class
    )


def _chain(node: ast.expr) -> Chain:
    """Return a dotted name as its parts; empty if it is something else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def _facts_of(statement: ast.stmt, path: Path) -> _Facts:
    chains: set[Chain] = set()
    imports: list[tuple[str, Import]] = []
    looks_up = False
    for node, local in _uses(statement, frozenset()):
        match node:
            case ast.Name(id=name) if name not in local:
                chains.add((name,))
                looks_up |= name in _LOOKS_UP_BY_NAME
            case ast.Attribute(attr=attribute):
                chain = _chain(node)
                if chain[0] not in local:
                    chains.add(chain)
                looks_up |= attribute == "__subclasses__" or chain[:2] in (
                    ("sys", "modules"),
                    ("importlib", "import_module"),
                )
            case ast.Import() | ast.ImportFrom():
                imports += _imports_of(node, path)
    digest = hashlib.sha256(_text(statement).encode()).hexdigest()
    return _Facts(digest, frozenset(chains), tuple(imports), looks_up)


def _uses(node: ast.AST, local: Collection[str]) -> Iterator[tuple[ast.AST, Collection[str]]]:
    """Yield the names, dotted names and imports in a tree, each with the names that are local where it stands."""
    match node:
        case ast.Name() | ast.Import() | ast.ImportFrom():
            yield node, local
        case ast.Attribute() if _chain(node):
            yield node, local
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            body = node.body if isinstance(node.body, list) else [node.body]
            outside = [child for child in ast.iter_child_nodes(node) if child not in body]
            for child in outside:
                yield from _uses(child, local)
            inner = {*local, *_locals_of(node, body)}
            for child in body:
                yield from _uses(child, inner)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            inner = {
                *local,
                *(n for g in node.generators for t in ast.walk(g.target) for n in _bound_by(t)),
            }
            first = node.generators[0].iter
            yield from _uses(first, local)
            for child in ast.iter_child_nodes(node):
                for part in (
                    ast.iter_child_nodes(child)
                    if isinstance(child, ast.comprehension)
                    else (child,)
                ):
                    if part is not first:
                        yield from _uses(part, inner)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _uses(child, local)


def _locals_of(function: _Function, body: Iterable[ast.AST]) -> set[str]:
    """Return a function's parameters and what it binds itself, imports apart."""
    arguments = function.args
    every = (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    )
    found = {argument.arg for argument in every if argument is not None}
    not_local: set[str] = set()
    for statement in body:
        for node in _same_scope(statement):
            found.update(_bound_by(node))
            if isinstance(node, ast.Global | ast.Nonlocal):
                not_local.update(node.names)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                not_local.update(
                    (alias.asname or alias.name).partition(".")[0] for alias in node.names
                )
    return found - not_local


def _text(value: object) -> str:
    """Write a tree as text that no layout, docstring or version of Python changes."""
    match value:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return hex(number)
        case ast.Constant(value=constant):
            return ascii(constant)
        case ast.JoinedStr(values=values):
            return f"f({','.join(_merged(values))})"
        case ast.AST():
            parts = [
                f"{name}={_text(part)}"
                for name in value._fields
                if name not in ("ctx", "kind", "type_comment")
                for part in (getattr(value, name, None),)
                if part is not None and part != []
            ]
            return f"{type(value).__name__}({','.join(parts)})"
        case list():
            kept = (
                part for part in value if not isinstance(part, ast.stmt) or not _says_nothing(part)
            )
            return f"[{','.join(map(_text, kept))}]"
    return ascii(value)


def _says_nothing(statement: ast.stmt) -> bool:
    """True for `pass`, a docstring and `...`."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _merged(values: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the parts of an f-string, neighbouring texts as one."""
    text = ""
    for value in values:
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        if text:
            yield ascii(text)
            text = ""
        yield _text(value)
    if text:
        yield ascii(text)
