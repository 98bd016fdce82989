"""Is a new item written as its neighbours are? `python bench/styles.py FOLDER [--number 400] [--seed 0] [--show 20]`

Takes an entry out of a Markdown list, adds the same paper to the section with what the list itself said of it (title, people, year,
short name, address), and compares what is written with what stood there: marker, indent and gap; order of the parts, what
stands between and around them, emphasis, form and label of the link; in a row each cell. Words that only that one work has (its
venue, a description, a link to its code) are left out of the comparison, with the brackets around them. A line that is not
as the old one was counts as well if as many of its neighbours are written like it as are like the old one: a list has
several habits. The files of FOLDER are called `repository__file.md`; each repository counts the same.
"""

from __future__ import annotations

import argparse
import html
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from scipy.stats import binomtest

from studiolo.errors import StudioloError
from studiolo.lists import Block, Document, Entry, Item, Section, apply_edits, insert, remove
from studiolo.lists.links import fold_label


NEIGHBOURS = 40
TITLE, ADDRESS, PEOPLE, YEAR, NAME, LABEL, WORD = "TUAYNLw"
_PARTS = {TITLE: "\ue000", ADDRESS: "\ue001", PEOPLE: "\ue002", YEAR: "\ue003", NAME: "\ue004", LABEL: "\ue005", WORD: "\ue006"}  # fmt: skip
_T, _U, _A, _Y, _N, _L, _W = _PARTS.values()
_SAID = f"[{_T}{_U}{_A}{_Y}{_N}{_L}]"
_SEP = r"[\s.,;:/|·•–—\\-]"
_OPEN, _CLOSE = r"[(\[{（【《“‘<\ue010-\ue017]", r"[)\]}）】》”’>\ue020-\ue027]"
_EMPHASIS = [("***", 0), ("**", 1), ("__", 2), ("*", 3), ("_", 4), ("``", 5), ("`", 6), ("~~", 7)]


def skeleton(text: str, entry: Entry) -> str:
    """Return a text with one sign for each thing that it says of its entry, and without the words that only this one has."""
    urls = {x.url for x in entry.links if x.mention and entry.key and x.mention.key == entry.key}
    text = text.replace("\\[", "[").replace("\\]", "]")
    text = re.sub(r"\]\(<([^\s<>()]*)>\)", r"](\1)", text)
    for url in sorted(urls, key=len, reverse=True):
        text = re.sub(rf"<?{re.escape(url)}(?![\w/])>?", _U, text)
    text = re.sub(rf"({_U})\s+\"[^\"]*\"\)", r"\1)", text)
    text = _put(text, _loosely(entry.title), _T)
    if entry.authors:
        people = [_person(p) for p in entry.authors]
        last = people[-1]
        found = rf"{people[0]}(?:[^\n{_T}{_U}]*?{last})?" if len(people) > 1 else last
        text = _put(
            text,
            rf"(?:by\s+|Authors?:\s*)?{found}\.?(?:\s\([^()]*\))?(?:,?\s*(?:et\.? al\.?|\.\.\.|…|等))?",
            _A,
        )
    if entry.name:
        text = _put(text, rf"(?<!\w){re.escape(entry.name)}(?!\w)", _N)
    if entry.year:
        month = r"(?:(?<![^\W_])(?:\d{1,2}\s)?[A-Z][a-z]{2,8}\.?,?\s(?:\d{1,2},?\s)?)?"
        text = _put(text, rf"{month}(?:\d\d?[-./])*(?<!\d){entry.year}(?:[-./年]\d\d?)*(?!\d)|['’]\s?{entry.year % 100:02d}(?!\d)", _Y)  # fmt: skip
    text = re.sub(r"!?\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)|!\[[^\]]*\]\([^)]*\)|<img[^>]*>|<!--.*?-->", _W, text)  # fmt: skip
    text = re.sub(rf"\[([^\[\]{_T}]*)\]\((?![^()]*{_U})[^()\s]*(?:\([^()]*\)[^()]*)*\)", _W, text)
    text = re.sub(rf"\[([^\[\]]*{_T}[^\[\]]*)\]\((?!{_U})[^()\s]*\)", r"\1" + _W, text)
    words = rf"[^{_T}{_N}{_A}{_Y}\[\]]*"
    text = re.sub(
        rf"\[(\[{words}\]|`\[{words}\]`|{words})\](?=\({_U}\))", lambda m: f"[{_label(m[1])}]", text
    )
    text = re.sub(r"<br\s*/?>", "\n", text)
    text = re.sub(r"<(\w+)[^>]*></\1>", _W, text)
    shown = r"(?:b|i|u|strong|em|sub|sup|ins|small|code|kbd|del|mark|span|font)>"
    text = re.sub(f"<{shown}", "‘", text)
    text = re.sub(f"</{shown}", "’", text)
    text = re.sub(r"</?(?:details|summary|p|div)[^<>]*>", _W, text)
    for mark, at in _EMPHASIS:
        mark = re.escape(mark)
        text = re.sub(rf"{mark}(?=\S)(.+?)(?<=\S){mark}", rf"{chr(0xE010 + at)}\1{chr(0xE020 + at)}", text, flags=re.DOTALL)  # fmt: skip
    text = re.sub(r'"([^"\n]*)"', r"“\1”", text)
    text = re.sub(
        r"(?<![(\[\s])[<>](?![\[,\s])|[^\s\ue000-\ue027()\[\]{}<>（）【】《》“”‘’.,;:/|·•–—\\-]+",
        _W,
        text,
    )
    return _reduced(text)


def _person(name: str) -> str:
    given, _, family = name.rpartition(" ")
    spelled, turned = (re.escape(x).replace(r"\ ", r"\s+") for x in (name, f"{family}, {given}"))
    return f"(?:{turned}|{spelled})" if given else spelled


def _label(words: str) -> str:
    return re.sub(r"\w[^\[\]`*]*", _L, words, count=1)


def _put(text: str, pattern: str, sign: str) -> str:
    """Replace the first place of a thing, of two the one in the text of a link."""
    found = re.search(rf"(?<=\[)[*_\"“`]*(?P<it>{pattern})(?=[^\]\n]*\]\({_U})", text)
    found = found or re.search(rf"(?P<it>{pattern})", text)
    return text[: found.start("it")] + sign + text[found.end("it") :] if found else text


def _loosely(title: str) -> str:
    letters = (r"[\s*_`]+" if c.isspace() else r"\\?" + re.escape(c) for c in title)
    return r"[*_`~]{0,2}".join(letters).replace("[*_`~]{0,2}[\\s*_`]+[*_`~]{0,2}", r"[\s*_`\\]+")


def _reduced(text: str) -> str:
    text = re.sub(r"[ \t]*\n\s*(?:[-*+]\s+|\d+[.)]\s+)?", "\n", text)
    text = re.sub(r"[ \t]+", " ", text)
    before = ""
    while before != text:
        before = text
        text = re.sub(rf"{_OPEN}{_SEP}*(?:{_W}{_SEP}*)*{_CLOSE}", _W, text)
        text = re.sub(rf"{_W}(?:{_SEP}*{_W})+", _W, text)
        text = re.sub(rf"(?<=[({_OPEN[1:-1]}])\s*{_W}{_SEP}*(?={_SAID}|{_OPEN})", "", text)
        text = re.sub(rf"{_SEP}*{_W}{_SEP}*(?={_CLOSE})", "", text)
    text = re.sub(rf"^(?:{_SEP}*{_W}{_SEP}*)+", "", text.strip())
    text = re.sub(rf"(?<={_A})[.,](?={_CLOSE})", "", text)
    text = re.sub(r"[\s,;:–—-]+$", "", text)
    return re.sub(rf"[\s.,;:–—-]*(?:{_SEP}*{_W}{_SEP}*)+$", _W, text)


def alike(written: str, other: str) -> bool:
    """Whether one skeleton is as another, which may have words where the first has none."""
    written = written.removesuffix(_W)
    more = "[.,:;]?" if other.endswith(_W) else ""
    other = other.removesuffix(_W)
    pieces = re.split(rf"((?:{_SEP}*{_W})+{_SEP}*)", other)
    pattern = ""
    for piece in pieces:
        if _W in piece:
            seps = [" ".join(s.split(" ")) for s in re.split(f"{_W}+", piece)]
            pattern += "(?:" + "|".join({re.escape(s) for s in (*seps, " ", "\n" if "\n" in other else " ")}) + ")"  # fmt: skip
        else:
            pattern += re.escape(piece)
    plain = re.sub(rf"{_SEP}*{_W}", "", written)
    return any(re.fullmatch(pattern + more, text) for text in (written, plain))


def parts(text: str) -> str:
    """Return what a skeleton says, in order."""
    return "".join(re.findall(_SAID, text))


def own_text(doc: Document, block: Block) -> str:
    """Return the words of an item with everything below it, without its marker."""
    return spelled(doc, block.marker_at, block.end).removeprefix(block.marker.decode()).strip()


def spelled(doc: Document, start: int, end: int) -> str:
    """Return a stretch of a list with its links spelled out: `[paper](URL)` for `[paper][7]`, ‘[paper](URL)’ for `<a href="URL">paper</a>`."""
    text, known = doc.data[start:end].decode(), doc.contents.definitions

    def to(match: re.Match[str]) -> str:
        url = known.get(fold_label((match[2] or match[1]).encode()))
        return match[0] if url is None else f"[{match[1]}]({url})"

    text = re.sub(r"\[([^\[\]]+)\]\[([^\[\]]*)\]", to, text)
    return re.sub(
        r"<a\s[^<>]*href\s*=\s*[\"']?\s*([^\s\"'<>]+)[^<>]*>((?:(?!</?a\b).)*)</a>",
        lambda m: f"‘[{m[2]}]({html.unescape(m[1])})’",
        text,
    )


def item_of(entry: Entry) -> Item | None:
    """Return what a list says of an entry, if that is enough to add it again."""
    to_it = [x for x in entry.links if x.mention and x.mention.key == entry.key]
    to_it.sort(key=lambda x: "://" not in x.url)
    titled = [x for x in to_it if entry.title in x.text]
    if not to_it or not re.search(_loosely(entry.title), entry.text):
        return None
    people = entry.authors
    if people and re.search(r"et\.? al|\.\.\.|…|等|others", entry.text):
        people += ("Ann Example", "Bo Sample")
    return Item(entry.title, (titled or to_it)[0].url, entry.name, people, entry.year)


def compare_item(
    doc: Document, new: Document, old: Entry, now: Entry, place: Section
) -> str | None:
    """Return what is not as it was in a new item, None if nothing is."""
    a, b = doc.block_of(old), new.block_of(now)
    lead = [
        re.sub(rb"\d+", b"1", d.data[x.start : x.text_at]).rstrip() for d, x in ((doc, a), (new, b))
    ]
    leads = Counter(
        re.sub(rb"\d+", b"1", doc.data[x.start : x.text_at]).rstrip() for x in place.items
    )
    if lead[0] != lead[1] and leads[lead[1]] < leads[lead[0]]:
        return f"marker {lead[0]} -> {lead[1]}"
    was, written = skeleton(own_text(doc, a), old), skeleton(own_text(new, b), now)
    if alike(written, was):
        return None
    others = [x for x in place.items if x is not a and doc.entry_at(x)][-NEIGHBOURS:]
    forms = [skeleton(own_text(doc, x), e) for x in others if (e := doc.entry_at(x))]
    if sum(alike(written, form) for form in forms) >= max(
        1, sum(alike(was, f) or alike(f, was) for f in forms)
    ):
        return None
    return f"{_shown(was)}  ->  {_shown(written)}"


def compare_row(doc: Document, new: Document, old: Entry, now: Entry, place: Section) -> str | None:
    """Return what is not as it was in a new row, None if nothing is."""
    a, b = doc.block_of(old), new.block_of(now)
    cells = [
        [skeleton(spelled(d, *cell), e) for cell in x.content]
        for d, x, e in ((doc, a, old), (new, b, now))
    ]
    said: set[str] = set()
    for column, (was, written) in enumerate(zip(*cells, strict=False)):
        if alike(written, was):
            said |= set(parts(was))
            continue
        rows = [
            (x, e)
            for x in a.parent.children[1:]
            if x is not a and column < len(x.content) and (e := doc.entry_at(x))
        ]
        forms = [skeleton(spelled(doc, *x.content[column]), e) for x, e in rows[-NEIGHBOURS:]]
        if not parts(written) and set(parts(was)) <= said - {_U}:
            continue
        said |= set(parts(was))
        if sum(alike(written, f) for f in forms) < max(
            1, sum(alike(was, f) or alike(f, was) for f in forms)
        ):
            return f"column {column}: {_shown(was)}  ->  {_shown(written)}"
    return None


def _shown(text: str) -> str:
    for name, sign in _PARTS.items():
        text = text.replace(sign, name)
    for mark, at in _EMPHASIS:
        text = text.replace(chr(0xE010 + at), mark).replace(chr(0xE020 + at), mark)
    return repr(text)[1:-1]


def draws(folder: Path, seed: int) -> Iterator[tuple[Document, Section, Entry, Item]]:
    """Yield entries drawn at random that can be put back, each repository as often as any other."""
    files = defaultdict(list)
    for path in sorted(folder.glob("*.md")):
        files[path.name.split("__")[0]].append(path)
    draw = random.Random(seed)
    for _ in range(100_000):
        doc = load(draw.choice(files[draw.choice(sorted(files))]))
        if places := places_of(doc):
            section, entries = draw.choice(places)
            entry = draw.choice(entries)
            if item := item_of(entry):
                yield doc, section, entry, item


load = lru_cache(maxsize=None)(Document.load)


@cache
def places_of(doc: Document) -> list[tuple[Section, list[Entry]]]:
    """Return the sections with at least three works."""
    places = []
    for section in doc.sections if doc.writable else ():
        blocks = section.items
        table = section.table
        if table is not None and len(table.children) > len(blocks):
            blocks = table.children[1:]
        entries = [e for x in blocks if (e := doc.entry_at(x)) and e.key and e.key.names_paper]
        if section.path and len(entries) > 2:
            places.append((section, entries))
    return places


def main() -> None:
    """Print the share of items and of rows that are written in full style, with an interval, and what differs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--number", type=int, default=400)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--show", type=int, default=20)
    given = options.parse_args()
    tried: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: list[str] = []
    for doc, place, old, item in draws(given.folder, given.seed):
        kind = doc.block_of(old).kind
        if sum(tried.values()) >= given.number:
            break
        tried[kind] += 1
        less = Document(apply_edits(doc.data, remove(doc, old)[0]))
        try:
            home = next(s for s in less.sections if s.path == place.path and abs(s.start - place.start) <= len(old.text) + 2)  # fmt: skip
            edits = insert(less, item, home)
        except StudioloError as error:
            wrong.append(
                f"{doc.path.name}:{old.line} refused: {error}\n  - {old.text.strip()[:300]}"
            )
            continue
        new = Document(apply_edits(less.data, edits))
        at = min(edit.start for edit in edits)
        now = [e for e in new.entries if e.span[0] >= at and e.key == old.key]
        if not now:
            said = "is not read"
        else:
            compare = compare_row if kind == "row" else compare_item
            said = compare(doc, new, old, now[0], place)
        right[kind] += said is None
        if said is not None:
            wrong.append(f"{doc.path.name}:{old.line} {kind} {said}\n  - {old.text.strip()[:500]}\n  + {edits[0].new.decode().strip()[:500]}")  # fmt: skip
    for text in wrong[: given.show]:
        print(text)
    for kind, count in tried.items():
        low, high = binomtest(right[kind], count).proportion_ci(method="wilson")
        print(f"{kind}: {right[kind]} of {count} in full style ({right[kind] / count:.1%}, 95 % {low:.1%} to {high:.1%})")  # fmt: skip


if __name__ == "__main__":
    main()
