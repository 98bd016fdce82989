"""What is read at once is what the rules say: a new rule of titles that touches these forms shows here."""

import re

import pytest
from hypothesis import given, settings, strategies as st

from studiolo.lists import Document, authors, citations, dates, titles
from studiolo.lists.links import find_links
from studiolo.lists.plain import read_plain, read_thought


HOW_OFTEN = [300, pytest.param(20_000, marks=pytest.mark.slow)]
# what stands in titles and names, and what a rule looks for there
WORDS = """On|noise|Attention|is all you need|FNet|GPT-3|Net12019|ICML19|CVPR 2019|nature|Nature|TODO|NOW|DONE|paper|code|pdf|Code|A. Okafor|B. Novak|Ada Some|Bo Other
Some Body and Other Body|et al.|by|By|by Ada Some|Jr|de|DeepMind|Ho et al.|2019|(2019)|19|12/2016|1.2.1875|39994|1|3D|No. 3|What?|Why not!|Title: a Subtitle|Labels, explained
One, Two|a, b and c|"Title"|"Width without noise"|'t|it's|co-op|-|--|–|:|;|,|.|...|*|**|_|`|~|(|)|[|]|{|}|&|&amp;|#tag|@who|:tada:|/|\\|<b>|https://a.org|arXiv:1706.03762|é|漢字|📅 2021-01-02|✅|?|!|see|with
IEEE|Under-sampling|Bootstrapped DQN|University of Oxford|Hugging Face|Authors: Ada Some|in|In 2019|workshop|arXiv|10.1/x"""
ADDRESSES = [
    "https://arxiv.org/abs/1809.18255",
    "https://a.org/b",
    "https://github.com/o/n",
    "http://[",
    "FNet",
    "x",
]
SHAPES = [
    "[{}]({})", "[{}]({}) - {year}", "[{}]({}) - {}, {year}", "[{}]({}) - {}", "{} - [{}]({}) - {year}", "{} - [{}]({})",
    '["{}" - {year} - {}]({})', '{} - ["{}" - {year} - {}]({})', "**{}**: {}", "{}: {}", "{} {}", "{}", "Read *{}* what `{}` says of {}", "{} - {}",
]  # fmt: skip
PLAIN = [
    "On noise and scale",
    "Attention Is All You Need",
    "FNet",
    "Net4",
    "A. Okafor, B. Novak",
    "Ada Some, Bo Other",
    "is 3D",
]
words = st.sampled_from(PLAIN) | st.lists(
    st.sampled_from(WORDS.replace("\n", "|").split("|")), min_size=1, max_size=4
).map(" ".join)
years = st.sampled_from(["2019", "1999", "19", "20190", "2019a"])


@st.composite
def heads(draw):
    """Return a head in one of the forms that are read at once, or nearly."""
    shape = draw(st.sampled_from(SHAPES)).replace("({})", "(%s)")
    filled = ""
    for i, piece in enumerate(shape.replace("{year}", draw(years)).split("{}")):
        filled += (draw(words) if i else "") + piece
    return filled.replace("%s", draw(st.sampled_from(ADDRESSES)))


NEVER = re.compile(r"(?!)")
# each shortcut inside the rules, and what it stands for
SHORTCUTS = [
    (authors, "_PLAIN_PEOPLE", NEVER),
    (citations, "_WORDS_ALONE", NEVER),
    (dates, "MAYBE_DATE", re.compile(r"\d\d")),
    (titles, "MAYBE_DATE", re.compile(r"\d\d")),
]


def by_rules(data, pieces, *, cites):
    """Return what the rules say of a head without any shortcut."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, slow in SHORTCUTS:
            patch.setattr(module, name, slow)
        return titles.read_by_rules(data, pieces, cites=cites)


def said(naming):
    """Return a naming with its people one by one."""
    return naming._replace(people=naming.authors)


def at_once(data, pieces, *, cites):
    """Whether a head is one that is read at once."""
    return bool(read_plain(data, pieces) or (not cites and not pieces and read_thought(data)))


@pytest.mark.parametrize("often", HOW_OFTEN)
def test_what_is_read_at_once_is_what_the_rules_say(often):
    seen = []

    @settings(max_examples=often, deadline=None)
    @given(heads(), st.booleans())
    def compare(head, cites):
        data = head.encode()
        pieces = find_links(data, {})
        seen.append(at_once(data, pieces, cites=cites))
        found = titles.read_naming(data, pieces, cites=cites)
        assert said(found) == by_rules(data, pieces, cites=cites)

    compare()
    assert sum(seen) > len(seen) / 20


def test_heads_of_real_lists_are_read_at_once_as_by_the_rules(real_list):
    for entry in Document.load(real_list).entries:
        if entry.head is not None:
            data, pieces = entry.head.run.data, entry.head.pieces
            for cites in (False, True):
                found = titles.read_naming(data, pieces, cites=cites)
                assert said(found) == by_rules(data, pieces, cites=cites), data


@pytest.mark.parametrize(
    "head",
    [
        "[On noise](https://arxiv.org/abs/1809.18255) - 2019",
        "[Labels, explained](https://a.org/labels)",
        "[Attention Is All You Need](https://a.org/b) - Ada Some, Bo Other, 2017",
        'FNet - ["Mixing with noise" - 2021 - Ada Some, Bo Other](https://a.org/b)',
        "**FNet**: https://github.com/o/n",
        "Read *again* what 39994 says of `width`",
    ],
)
def test_common_head_is_read_at_once(head):
    assert at_once(head.encode(), find_links(head.encode(), {}), cites=False)
