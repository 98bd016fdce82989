"""In which form a new item is written: that of most of its neighbours, if it reads back as itself there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from studiolo.keys import find_mention

from .blocks import Block
from .document import Document
from .entry import Entry
from .links import Run
from .states import BOX
from .style import Item, head_of
from .template import Template, learn
from .titles import title_from_url


LOOKED_AT = 40  # neighbours, from the end


def forms(doc: Document, items: Sequence[Block], item: Item) -> Iterator[tuple[Template, Item]]:
    """Yield forms in which to write `item`, with what is said of it in each, the best first."""
    every = [doc.item_blocks, items] if len(items) < len(doc.item_blocks) else [items]
    for blocks in reversed(every):
        for template in ranked(learnt(doc, blocks), item):
            for said in _less_and_less(item, template):
                yield template, said
    for template in _plain():
        yield template, replace(item, name=None, authors=(), year=None)
        yield template, replace(item, name=None, authors=(), year=None, title=_unquoted(item))


def learnt(doc: Document, blocks: Sequence[Block]) -> list[Template]:
    """Return the forms of items, the last first."""
    found: list[Template] = []
    for block in reversed(blocks[-LOOKED_AT:]):
        entry = doc.entry_at(block) if block.kind == "item" else None
        head = head_of(block)
        if entry is None or head is None:
            continue
        data = Run(doc.data, head.content).data
        if box := BOX.match(data):
            data = data[box.end() :].lstrip()
        if template := learn(data, entry):
            found.append(template)
    return found


def ranked(templates: Sequence[Template], item: Item) -> list[Template]:
    """Return the forms that differ, best first.

    Title and link stand as in most. Of the forms that a third of those have, the one that says most of `item`; else
    the commonest.
    """
    cores = Counter(template.core for template in templates)
    shapes = Counter(template.shape for template in templates)
    distinct = {template.shape: template for template in reversed(templates)}.values()

    def worth(template: Template) -> tuple[int, bool, int, int]:
        common = shapes[template.shape] * 3 >= cores[template.core]
        says = template.says(item)
        many = shapes[template.shape]
        return cores[template.core], common, says if common else many, many if common else says

    return sorted(reversed(list(distinct)), key=worth, reverse=True)


def reads_as(entries: Sequence[Entry], item: Item, template: Template) -> bool:
    """Whether `entries` are one, and that is `item`, as far as the form has places for it."""
    if len(entries) != 1:
        return False
    (entry,) = entries
    mention = find_mention(item.url)
    if mention is not None and (entry.key != mention.key or len(entry.keys) != 1):
        return False
    if "title" in template.roles:
        if _plain_title(entry.title) != _plain_title(item.title):
            return False
    elif entry.title != title_from_url(item.url):
        return False
    year = item.year if "year" in template.roles else None
    name = item.name if "name" in template.roles else None
    authors = item.authors if "authors" in template.roles else ()
    return (
        entry.year == year
        and entry.name == name
        and bool(entry.authors) == bool(authors)
        and entry.authors == authors[: len(entry.authors)]
        and entry.state in (None, "to read")
    )


def _plain_title(title: str) -> str:
    return " ".join(title.replace('"', "'").split()).rstrip(".")


def _unquoted(item: Item) -> str:
    return item.title.replace('"', "'")


def _less_and_less(item: Item, template: Template) -> Iterator[Item]:
    without = [
        replace(item),
        replace(item, authors=()),
        replace(item, name=None),
        replace(item, name=None, authors=()),
        replace(item, year=None),
        replace(item, name=None, authors=(), year=None),
    ]
    yield from dict.fromkeys(without)
    if '"' in item.title:
        yield replace(item, title=_unquoted(item))
        yield replace(item, name=None, authors=(), year=None, title=_unquoted(item))


@lru_cache
def _plain() -> tuple[Template, ...]:
    found: list[Template] = []
    for text in (
        "[A Title](https://a.org/x)",
        '["A Title"](https://a.org/x)',
        '"A Title" - https://a.org/x',
    ):
        doc = Document(f"* {text}\n".encode())
        template = learn(text.encode(), doc.entries[0])
        assert template is not None
        found.append(template)
    return tuple(found)
