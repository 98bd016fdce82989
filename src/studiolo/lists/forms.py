"""In which form a new item is written: that of most of its neighbours, if it reads back as itself there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from studiolo.keys import find_mention

from .addresses import title_from_url
from .blocks import Block
from .document import Document
from .entry import Entry
from .learning import learn, learn_item
from .style import Item
from .template import NUMBER, Template


LOOKED_AT = 40  # neighbours, from the end


def written(
    doc: Document, items: Sequence[Block], item: Item, width: int
) -> Iterator[tuple[str, Item, Collection[str]]]:
    """Yield texts of `item`, what is said of it in each, and in which roles; the best first.

    Args:
        width: of the marker and its spaces that stand before the text.
    """
    every = [doc.item_blocks, items] if len(items) < len(doc.item_blocks) else [items]
    for blocks in reversed(every):
        templates = learnt(doc, blocks)
        alike = blocks is items and len(templates) == len(items[-LOOKED_AT:])
        for template in ranked(templates, item):
            if "title" not in template.roles and not (template.bare and alike):
                continue  # an address alone, where others say more
            for form, said in forms_and_less(template, item):
                yield (
                    _indented(counted(form.write(said), templates), form.width, width),
                    said,
                    form.roles,
                )
    for template in plain_forms():
        for title in dict.fromkeys((item.title, _unquoted(item))):
            said = replace(item, name=None, authors=(), year=None, title=title)
            yield template.write(said), said, template.roles


def _indented(text: str, old: int, new: int) -> str:
    """Return a text whose further lines belong to an item with a marker of `new` columns and not `old`."""
    depths = [len(spaces) for spaces in re.findall(r"\n( *)(?=\S)", text)]
    if new > old and not (depths and min(depths) >= new):
        text = text.replace("\n", "\n" + " " * (new - old))
    # a year with a full stop would be the next item's number
    return re.sub(r"\n *(?=(?:19|20)\d\d[.)](?:\s|$))", "\n" + " " * new, text)


def learnt(doc: Document, blocks: Sequence[Block]) -> list[Template]:
    """Return the forms of items, the last first."""
    found: list[Template] = []
    for block in reversed(blocks[-LOOKED_AT:]):
        entry = doc.entry_at(block) if block.kind == "item" else None
        template = (
            learn_item(doc.data, block, entry, doc.contents.definitions)
            if entry is not None
            else None
        )
        if template is not None and "url" in template.roles:
            found.append(template)
    return found


def ranked(templates: Sequence[Template], item: Item) -> list[Template]:
    """Return the forms that differ, best first.

    One that says the title comes before a bare address. Title and link stand as in most. Of the forms that a third of those have, the one that says most of `item`; else
    the commonest.
    """
    cores = Counter(_spaced(template.core) for template in templates)
    shapes = Counter(_spaced(template.shape) for template in templates)
    spaced = Counter(template.shape for template in templates)
    manners = Counter(template.manner for template in templates)
    alike: dict[str, list[Template]] = {}
    for template in templates:
        alike.setdefault(_spaced(template.shape), []).append(template)

    def usual(template: Template) -> tuple[int, bool, int]:
        # arXiv is written where the address leads there
        return spaced[template.shape], "venue" in template.roles, manners[template.manner]

    def worth(template: Template) -> tuple[bool, int, bool, int, int]:
        core, many = cores[_spaced(template.core)], shapes[_spaced(template.shape)]
        common = many * 3 >= core
        says = template.says(item)
        titled = "title" in template.roles
        return (
            titled,
            core,
            common,
            says if common else many,
            many if common else says,
        )

    return sorted((max(some, key=usual) for some in alike.values()), key=worth, reverse=True)


def _spaced(text: str) -> str:
    """Return a form without blanks, but its lines: two that differ only in these are one habit."""
    return "\n".join("".join(line.split()) for line in text.split("\n"))


def counted(text: str, templates: Sequence[Template]) -> str:
    """Return a text with its number, the one after its neighbours' (the last first); without one where they do not count."""
    numbers = [template.number for template in templates[:2] if template.number is not None]
    if NUMBER not in text or not numbers:
        return text.replace(NUMBER, "")
    step = numbers[0] - numbers[1] if len(numbers) > 1 else 1
    return text.replace(NUMBER, str(max(numbers[0] + (step if step in (-1, 0, 1) else 1), 0)), 1)


def forms_and_less(template: Template, item: Item) -> Iterator[tuple[Template, Item]]:
    """Yield a form with an item and what is left of it; a venue that its words allow goes before anything that is known."""
    bare = template.without("venue") if "venue" in template.roles else None
    plain = template.unturned() if "authors" in template.roles else None
    for said in less_and_less(item):
        yield template, said
        if bare is not None:
            yield bare, said
        if plain is not None and said.authors:
            yield plain, said


def reads_as(entries: Sequence[Entry], item: Item, roles: Collection[str]) -> bool:
    """Whether `entries` are one, and that is `item`, as far as `roles` of it were written."""
    if len(entries) != 1:
        return False
    (entry,) = entries
    mention = find_mention(item.url)
    if mention is not None and (entry.key != mention.key or len(entry.keys) != 1):
        return False
    if "title" in roles:
        if _plain_title(entry.title) != _plain_title(item.title):
            return False
    elif entry.title != title_from_url(item.url):
        return False
    return (
        _said(entry.year, item.year, "year" in roles)
        and _said(entry.name, item.name, "name" in roles)
        and bool(entry.authors) == bool(item.authors if "authors" in roles else ())
        and entry.authors == item.authors[: len(entry.authors)]
        and entry.state in (None, "to read")
    )


def _said(read: object, known: object, wanted: bool) -> bool:
    """Whether what is read is what is known; where it was not to be written, nothing may be read as well."""
    return read == known or (read is None and not wanted)


def _plain_title(title: str) -> str:
    return " ".join(title.replace('"', "'").split()).rstrip(".")


def _unquoted(item: Item) -> str:
    return item.title.replace('"', "'")


def less_and_less(item: Item) -> Iterator[Item]:
    """Yield an item and what is left of it without people, name and year."""
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
def plain_forms() -> tuple[Template, ...]:
    """Return the forms of a list without any: a link, a quotation in a link, and for what else reads as a label, before one."""
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
