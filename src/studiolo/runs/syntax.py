"""What one statement of Python says: the names that it binds and uses, its imports, its effects, its text without layout."""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


Chain = tuple[str, ...]  # a name and the attributes asked of it: ("np", "random", "default_rng")

# What a module's top level may call, or decorate with, without an effect elsewhere; classes too.
_HARMLESS = {*dir(builtins)} - {"__import__", "eval", "exec", "input", "open", "print", "setattr"}
_HARMLESS_MODULES = {"functools", "itertools", "math", "operator", "re", "string", "typing"}
_HARMLESS_DECORATORS = _HARMLESS | {
    *("cache", "cached_property", "contextmanager", "dataclass", "final", "inference_mode", "jit"),
    *("jaxtyped", "lru_cache", "njit", "no_grad", "overload", "runtime_checkable", "wraps"),
}
# What finds things by names that no tree shows.
_LOOKUPS: set[Chain] = {("__import__",), ("eval",), ("exec",), ("globals",), ("import_module",)}
_LOOKUPS |= {("importlib", "import_module"), ("sys", "modules")}

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
class Facts:
    """A top-level statement: the hash of its tree, the names it uses, the imports inside, whether it looks names up."""

    digest: str
    chains: frozenset[Chain]
    imports: tuple[tuple[str, Import], ...]
    looks_up: bool


def never_runs(statement: ast.stmt) -> bool:
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


def imports_of(node: ast.AST, path: Path) -> Iterator[tuple[str, Import]]:
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


def same_scope(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a statement whose names belong to the scope that it stands in."""
    pending = [statement]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _Scope):
            pending.extend(_children(node))


def _children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes below a node; whether it is read or written is none."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [part for part in value if isinstance(part, ast.AST)]
        elif isinstance(value, ast.AST) and name != "ctx":
            found.append(value)
    return found


_BINDING = (
    ast.Name, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler,
    ast.MatchAs, ast.MatchStar, ast.MatchMapping,
)  # fmt: skip


def bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node binds by itself, imports apart."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name


def has_effect(statement: ast.stmt) -> bool:
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


def facts_of(statement: ast.stmt, path: Path) -> Facts:
    """Read a top-level statement of the file at `path`."""
    uses = _Uses(path)
    uses.read(statement, set())
    digest = hashlib.sha256(_text(statement).encode()).hexdigest()
    return Facts(digest, frozenset(uses.chains), tuple(uses.imports), uses.looks_up)


class _Uses:
    """The names, dotted names and imports in a tree; local names are left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chains: set[Chain] = set()
        self.imports: list[tuple[str, Import]] = []
        self.looks_up = False

    def read(self, node: ast.AST, local: set[str]) -> None:
        """Read a node; `local` are the names that are local where it stands."""
        if isinstance(node, ast.Attribute) and node.attr == "__subclasses__":
            self.looks_up = True
        if isinstance(node, ast.Name):
            self._chain((node.id,), local)
        elif isinstance(node, ast.Attribute) and (chain := _chain(node)):
            self._chain(chain, local)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self.imports += imports_of(node, self.path)
        elif isinstance(node, _Function):
            body = node.body if isinstance(node.body, list) else [node.body]
            inner = local | _locals_of(node, body)
            for child in _children(node):
                self.read(child, inner if child in body else local)
        elif isinstance(node, _Comprehension):
            first = node.generators[0]
            bound = {n for g in node.generators for t in ast.walk(g.target) for n in bound_by(t)}
            self.read(first.iter, local)
            for child in (first.target, *first.ifs, *_children(node)):
                if child is not first:
                    self.read(child, local | bound)
        else:
            for child in _children(node):
                self.read(child, local)

    def _chain(self, chain: Chain, local: set[str]) -> None:
        if chain[0] not in local:
            self.chains.add(chain)
            self.looks_up |= not _LOOKUPS.isdisjoint((chain[:1], chain[:2]))


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
        for node in same_scope(statement):
            if isinstance(node, _BINDING):
                found.update(bound_by(node))
            elif isinstance(node, ast.Global | ast.Nonlocal):
                not_local.update(node.names)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                not_local.update(
                    (alias.asname or alias.name).partition(".")[0] for alias in node.names
                )
    return found - not_local


def _text(value: object) -> str:
    """Write a tree as text that no layout, docstring or version of Python changes."""
    if isinstance(value, list):
        return f"[{','.join([_text(part) for part in value if not _says_nothing(part)])}]"
    if not isinstance(value, ast.AST):
        return ascii(value)
    if isinstance(value, ast.Constant):
        constant = value.value
        if isinstance(constant, int) and not isinstance(constant, bool):
            return hex(constant)
        return ascii(constant)
    if isinstance(value, ast.JoinedStr):
        return f"f({','.join(_merged(value.values))})"
    parts = [
        f"{name}={_text(part)}"
        for name in value._fields
        if name not in _SAYS_NOTHING
        if (part := getattr(value, name, None)) is not None and part != []
    ]
    return f"{type(value).__name__}({','.join(parts)})"


_SAYS_NOTHING = frozenset({"ctx", "kind", "type_comment"})


def _says_nothing(statement: object) -> bool:
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
