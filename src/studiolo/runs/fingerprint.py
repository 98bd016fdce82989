"""What a result depends on, as a hash: code by its syntax tree, never by importing it.

Editing a comment, a docstring or the layout of a file changes nothing; editing a statement, in the paper folder or in
any `studiolo` module that its experiments reach, does. A name re-exported by a package is followed to the module that
defines it, so that a room's other modules do not count.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


PACKAGE_ROOT = Path(__file__).parents[1]  # the folder of the package `studiolo`


@dataclass(frozen=True, slots=True)
class Code:
    """The code that an experiments file reaches.

    Attributes:
        digest: 16 hex digits over all reachable modules.
        imports: top-level names of the other packages that they import, such as {"torch", "numpy"}.
    """

    digest: str
    imports: frozenset[str]


def code_of(folder: Path) -> Code:
    """Return the code reached from `folder`/experiments.py: the paper's own files and `studiolo` modules."""
    pending = [folder / "experiments.py", folder / "__init__.py"]
    seen: dict[Path, str] = {}
    imports: set[str] = set()
    while pending:
        path = pending.pop()
        if path in seen or not path.is_file():
            continue
        tree = _parse(path, path.stat().st_mtime_ns)
        seen[path] = ast.unparse(tree)
        for module in _imports(tree, path):
            if isinstance(module, Path):
                pending.append(module)
            else:
                imports.add(module)
    digest = hashlib.sha256()
    for name, text in sorted((_label(path, folder), text) for path, text in seen.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return Code(digest.hexdigest()[:16], frozenset(imports))


def fingerprint(code: Code, run: str, config: Mapping[str, Any], series: int, index: int) -> str:
    """Return 16 hex digits over the code, the experiment, its config, the series and the seed's index."""
    return _hash([code.digest, run, config, series, index])[:16]


def seed_of(key: str, run: str, config: Mapping[str, Any], series: int, index: int) -> int:
    """Return the seed handed to an experiment, below 2**31: the same on every machine and for every version of the code."""
    return int(_hash([key, run, config, series, index])[:8], 16) >> 1


def canonical(config: Mapping[str, Any]) -> str:
    """Return a config as JSON with sorted keys, so that equal configs are equal strings."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(canonical({"parts": parts}).encode()).hexdigest()


def _label(path: Path, folder: Path) -> str:
    """Name a file independently of where the package and the library lie."""
    root = folder.parent if path.is_relative_to(folder) else PACKAGE_ROOT
    return path.relative_to(root).as_posix()


@cache
def _parse(path: Path, _mtime_ns: int) -> ast.Module:
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest if rest or isinstance(node, ast.Module) else [ast.Pass()]
    return tree


def _imports(tree: ast.Module, path: Path) -> Iterator[Path | str]:
    """Yield the files of the paper and of studiolo that `tree` imports, and the names of other packages."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield from _module(alias.name, None)
            case ast.ImportFrom(level=0, module=str(name)):
                for alias in node.names:
                    yield from _module(name, alias.name)
            case ast.ImportFrom(level=level, module=name):
                package = path.parents[level - 1]
                parts = name.split(".") if name else []
                for alias in node.names:
                    yield from _resolve(package.joinpath(*parts), alias.name)


def _module(dotted: str, name: str | None) -> Iterator[Path | str]:
    first, *rest = dotted.split(".")
    if first != "studiolo":
        yield first
    else:
        yield from _resolve(PACKAGE_ROOT.joinpath(*rest), name)


def _resolve(base: Path, name: str | None) -> Iterator[Path]:
    """Find the file behind `from base import name`, following a package's re-exports to where the name is defined."""
    module = base.with_suffix(".py")
    if module.is_file():
        yield module
        return
    init = base / "__init__.py"
    if name is None or not init.is_file():
        yield init
        return
    if (base / f"{name}.py").is_file() or (base / name).is_dir():
        yield from _resolve(base / name, None)
        return
    for node in _parse(init, init.stat().st_mtime_ns).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    yield from _resolve(base.joinpath(*node.module.split(".")), alias.name)
                    return
    yield init
