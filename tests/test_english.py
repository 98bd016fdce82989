"""What a user reads is plain English: "is not a duration", never "is no duration"."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "studiolo").rglob("*.py"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "src/studiolo/papers/README.md"]
NO_THING = r"(?<!here )\b(?:is|are|was|were) no (?!longer|more|less|better|worse|fewer)\w+"
STILTED = re.compile(
    NO_THING + r"|\bnames no \w+|\bshall\b|\bwho (?:maintains|wants)\b"
    r"|\bthe very same\b|\banswer to the mouse\b|\btold and not\b",
    re.IGNORECASE,
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module, and the docstrings of its commands, which are their help."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
        and not any(".command" in ast.unparse(d) for d in getattr(node, "decorator_list", ()))
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", [p for p in SOURCES if not p.name.startswith("test_")], ids=name)
def test_messages_and_help_are_plain(path):
    wrong = [(line, match[0]) for line, text in sentences(path) for match in STILTED.finditer(text)]
    assert not wrong, f"{name(path)}: {wrong}"


def docstrings_and_comments(path: Path) -> Iterator[str]:
    """What a reader of a module reads beside its code."""
    text = path.read_text(encoding="utf-8")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, documented):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_docstrings_and_comments_say_that_something_is_not_a_thing():
    wrong = [
        f"{name(path)}: {found[0]}"
        for path in SOURCES
        if re.search(
            NO_THING, path.read_text(encoding="utf-8")
        )  # in code too: most files have none
        for text in docstrings_and_comments(path)
        for found in re.finditer(NO_THING, text)
    ]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_are_plain(page):
    text = re.sub(r"`[^`]*`|\"is no duration\"", "", page.read_text(encoding="utf-8"))
    assert not [match[0] for match in STILTED.finditer(text)]
