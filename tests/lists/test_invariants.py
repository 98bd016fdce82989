"""What holds of every edit of every list: it is read again as it was meant, or it is refused; all else stays."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from studiolo.errors import ListError, StudioloError
from studiolo.lists import Document, Item, annotate, apply_edits, edited, insert, inverse, move
from studiolo.lists.edits import said_by

from .conftest import FRAGMENTS


HOW_OFTEN = [pytest.param(60, id="few"), pytest.param(3000, id="many", marks=pytest.mark.slow)]
URL = "https://arxiv.org/abs/2311.90001"

# pieces of forms: what stands before a title, around it, and behind it with the link
_BEFORE = [
    "",
    "[2021] ",
    "(2021-03) ",
    "**2021** - ",
    "🔥 ",
    "LAKE - ",
    "`LAKE` ",
    "[CVPR 2021] ",
    "1) ",
    "_2021_: ",
]
_TITLE = ["[{t}]({u})", "**[{t}]({u})**", '"{t}" - {u}', "**{t}** [[pdf]({u})]", "{t} ([paper]({u}))", "*{t}.* <{u}>",
          '**"{t}"**. [[arXiv]({u})]', r"\[[paper]({u})\] {t}", "<b>{t}</b>: {u}", '["{t}" - 2021]({u})', "__{t}__ | [link]({u})"]  # fmt: skip
_BEHIND = ["", " - 2021", " (2021)", ". *Ann Example et al*. arXiv 2021.", ", Ann Example and Bob Sample", " - Ann Example, Bob Sample - 2021",
           " [[code](https://github.com/a/b)]", " `Uber` `2021`", " - a description, of some length.", " ✅", " #tag", "\\\n  *Ann Example, Bob Sample*"]  # fmt: skip
_MARKERS = ["* ", "- ", "+ ", "{n}. ", "{n}) ", "1. ", "- [ ] ", "*   ", "  - "]
_GAPS = ["\n", "\n\n", "\n\n\n"]

texts = st.lists(
    st.one_of(
        st.sampled_from(["Maps", "of", "the", "Attention", "2019", "A.", "(Part 12)", "x", ":", "-", "&", "#1", "[Re]", '"Why"', "C++", "<b>"]),
        st.sampled_from(FRAGMENTS),
        st.text(max_size=6),
    ),
    min_size=1,
    max_size=7,
).map(" ".join)  # fmt: skip


@st.composite
def neighbours(draw):
    """A list of items that are alike, as people write them, with some that are not."""
    marker, gap = draw(st.sampled_from(_MARKERS)), draw(st.sampled_from(_GAPS))
    before, title, behind = (draw(st.sampled_from(p)) for p in (_BEFORE, _TITLE, _BEHIND))
    lines = []
    for n in range(1, draw(st.integers(1, 5)) + 1):
        if draw(st.integers(0, 5)) == 0:
            before, behind = draw(st.sampled_from(_BEFORE)), draw(st.sampled_from(_BEHIND))
        words = title.format(t=f"Lakes and Rivers {n}", u=f"https://arxiv.org/abs/1804.0423{n}")
        lines.append(f"{marker.format(n=n)}{before}{words}{behind}")
        if draw(st.booleans()):
            lines[-1] += "\n" + " " * len(marker.format(n=n).removesuffix("[ ] ")) + "- a note"
    table = draw(st.booleans())
    items = gap.join(lines)
    if table:
        items = "| Paper | Who | When |\n|---|---|---|\n" + "\n".join(
            f"| {title.format(t=f'Lakes and Rivers {n}', u=f'https://arxiv.org/abs/1804.0423{n}').replace('|', '-')} | Ann Example | 2021 |"
            for n in range(1, 4)
        )
    return f"# S\n\n{items}\n\n# T\n\n* [Last](https://arxiv.org/abs/1804.04239)\n"


items = st.builds(
    Item,
    texts.filter(str.strip),
    st.just(URL),
    st.sampled_from([None, None, "RIVER"]),
    st.sampled_from([(), ("Ada Lovelace",), ("Ada Lovelace", "Bo Turing", "Cy Third")]),
    st.sampled_from([None, 2023]),
    st.lists(texts.map(lambda text: " ".join(text.split())).filter(bool), max_size=2).map(tuple),
)


def checked(max_examples):
    return settings(
        max_examples=max_examples, deadline=None, suppress_health_check=list(HealthCheck)
    )


@pytest.mark.parametrize("often", HOW_OFTEN)
def test_inserted_item_reads_back_as_itself_or_is_refused(often):
    @checked(often)
    @given(neighbours(), items)
    def holds(text, item):
        doc = Document(text.encode("utf-8", "ignore"))
        try:
            edits = insert(doc, item, "S")
            new = edited(doc, edits, added=1)
        except ListError:
            return
        assert apply_edits(new.data, inverse(edits)) == doc.data
        (entry,) = [e for e in new.entries if any(link.url == URL for link in e.links)]
        assert str(entry.key) == "arxiv:2311.90001"
        said = " ".join(item.title.split()).replace('"', "'").rstrip(".")
        assert entry.title.replace('"', "'").rstrip(".") == said
        assert entry.authors == item.authors[: len(entry.authors)]
        assert entry.year in (item.year, None)
        assert entry.name in (item.name, None)
        assert entry.section == ("S",)
        assert entry.state in (None, "to read")

    holds()


@pytest.mark.parametrize("often", HOW_OFTEN)
def test_note_of_any_words_is_read_or_refused_and_moves_change_no_words(often):
    @checked(often)
    @given(neighbours(), texts, st.integers(0, 4))
    def holds(text, note, pick):
        doc = Document(text.encode())
        entry = doc.entries[pick % len(doc.entries)]
        try:
            edits = annotate(doc, entry, note)
            new = edited(doc, edits, touched=[entry])
        except StudioloError:
            pass
        else:
            assert apply_edits(new.data, inverse(edits)) == doc.data
            now = new.entries[doc.entries.index(entry)]
            assert (now.title, now.name) == (entry.title, entry.name)
            assert (now.authors, now.year) == (entry.authors, entry.year) or ":" in note
            heard = (len(now.notes) + len(now.questions) + len(now.links)) - (
                len(entry.notes) + len(entry.questions) + len(entry.links)
            )
            row = doc.block_of(entry).kind == "row"
            assert row or heard > 0 or not note.strip()
        try:
            edits = move(doc, entry, "T")
            new = edited(doc, edits, touched=[entry])
        except StudioloError:
            return
        assert apply_edits(new.data, inverse(edits)) == doc.data
        assert sorted(map(repr, map(said_by, new.entries))) == sorted(
            map(repr, map(said_by, doc.entries))
        )

    holds()
