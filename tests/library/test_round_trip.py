"""BibTeX in, BibTeX out is the same bibliography, for two other people's parsers; RIS and CSL say the same of it."""

import io
import json
import re
from dataclasses import replace

import pybtex.database
import pytest
import rispy
from bibtexparser.entrypoint import parse_string
from hypothesis import given, settings, strategies as st
from pylatexenc.latex2text import LatexNodes2Text

from studiolo.library import (
    FORMATS,
    Inbox,
    Library,
    carry_out,
    desk,
    load_waiting,
    references_in_inbox,
    references_in_library,
)
from studiolo.sources.bibtex import parse_bibtex
from studiolo.sources.saved import SavedItem
from studiolo.sources.zotero import load_zotero


BIB = r"""
@article{vaneck1999,
  title = {On the {GPU}: na{\"\i}ve {B}ayes in $O(n^2)$ \& more --- 50\% off},
  author = {van Eck, Pierre-Louis and {\O}sterg{\aa}rd, S{\o}ren and {Institute of Things and Stuff} and King, Jr, Martin},
  journal = {Journal of Tests}, volume = {12}, number = {3}, pages = {1--17}, month = jun, year = 1999,
  doi = {10.1000/ABC_d.5}, keywords = {fast, very slow}, abstract = {We show that $x<y$ holds.}
}
@inproceedings{Pot:2020, title={The Best {P}aper}, author={Pot, Anna}, booktitle={Proceedings of Things}, year={2020},
  url={https://aclanthology.org/2020.acl-main.1}, publisher={ACL}, pages={3}, address={Online}}
@phdthesis{thesis9, title={My Thesis}, author={Erd{\H{o}}s, P{\'a}l}, school={University of {\L}{\'o}d{\'z}}, year={1930},
  url={https://x.org/thesis.pdf}}
@book{book1, title={A Book}, author={Do, Jane}, publisher={Springer}, year={2001}, isbn={978-3-16-148410-0}, edition={2}}
@misc{pre21, title={A Preprint}, author={Doe, J.}, year={2021}, eprint={2101.00001v2}, archivePrefix={arXiv}, primaryClass={cs.LG}}
@techreport{tr, title={Maps in a report}, author={Doe, J.}, institution={ACME}, number={TR-7}, year={1977}, url={https://x.org/tr7}}
@online{web, title={A Page}, author={Doe, J.}, year={2012}, url={https://x.org/a_page?q=1&b=2}, urldate={2013-01-02}}
@software{soft, title={Tool}, author={Doe, J.}, version={1.2}, year={2022}, url={https://github.com/o/tool}}
@incollection{ch, title={A Chapter}, author={Doe, J. and Roe, R.}, booktitle={The Handbook}, editor={Poe, E.},
  publisher={MIT Press}, year={1990}, chapter={4}, doi={10.1000/ch.4}}
@article{others, title={A {Bayesian} Approach to GANs and {{\"U}ber-Nets}}, author={Doe, Jane and Roe, R. and others}, journal={J}, year={2020},
  doi={10.1000/o.1}}
@misc{hal19, title={{Not of arXiv}}, author={Doe, J.}, year={2019}, eprint={hal-01234567}, eprinttype={hal}, url={https://hal.science/hal-01234567}}
@online{biblatex, title={In biblatex}, author={Doe, J.}, year={2022}, eprint={2201.00001}, eprinttype={arxiv}, eprintclass={cs.LG}}
@article{corr, title={By another name}, author={Ng, A.}, journal={CoRR}, volume={abs/1907.11692}, year={2019}}
@unpublished{draft, title={Draft}, author={Doe, J.}, note={in preparation}, year={2023}, url={https://x.org/draft.pdf}}
"""
# what one parser or the other calls otherwise, or what was added to what the file said
ADDED = {"archiveprefix", "eprint"}


@pytest.fixture
def library(tmp_path):
    (tmp_path / "list.md").write_text("# L\n\n## To Review\n")
    library = Library(tmp_path)
    library.prepare()
    return library


def plain(text):
    text = LatexNodes2Text(math_mode="verbatim").latex_to_text(re.sub(r"(?<!\\)%", r"\\%", text))
    return " ".join(text.replace("{", "").replace("}", "").split())


def by_bibtexparser(text):
    library = parse_string(text)
    assert library.failed_blocks == []
    return {
        entry.key: (entry.entry_type, {f.key.lower(): plain(f.value) for f in entry.fields})
        for entry in library.entries
    }


def by_pybtex(text):
    found = {}
    for key, entry in pybtex.database.parse_string(text, "bibtex").entries.items():
        people = {role: [plain(str(one)) for one in some] for role, some in entry.persons.items()}
        fields = {name.lower(): plain(value) for name, value in entry.fields.items()}
        found[key] = (entry.type, {**fields, **people})
    return found


def assert_same(before, after):
    assert before.keys() == after.keys()
    for key, (entry_type, fields) in before.items():
        assert after[key][0] == entry_type
        more = {name for name in after[key][1] if name not in fields}
        assert more <= ADDED, key
        assert {name: after[key][1].get(name) for name in fields} == fields, key


def saved(text):
    things = list(parse_bibtex(text.encode(), "in.bib"))
    assert all(isinstance(thing, SavedItem) for thing in things)
    return things


def test_bibliography_that_went_over_a_list_is_the_same(library):
    Inbox(library).collect(saved(BIB))
    for pending in load_waiting(library).pending:
        waiting = load_waiting(library)
        thing = desk.thing_to_add(waiting, pending.name)
        carry_out(library, desk.add(library, waiting, thing, section="To Review"))
    assert load_waiting(library).pending == []
    out = FORMATS["bibtex"](references_in_library(library))
    assert_same(by_bibtexparser(BIB), by_bibtexparser(out))
    assert_same(by_pybtex(BIB), by_pybtex(out))


def test_braces_others_and_eprints_come_out_as_they_went_in(library):
    Inbox(library).collect(saved(BIB))
    out = FORMATS["bibtex"](references_in_inbox(load_waiting(library)))
    for line in (
        r"title = {A {Bayesian} Approach to GANs and {{\"U}ber-Nets}}",
        "author = {Doe, Jane and Roe, R. and others}",
        "title = {{Not of arXiv}}",
        "eprint = {hal-01234567}",
        "eprinttype = {hal}",
        "eprinttype = {arxiv}",
        "eprintclass = {cs.LG}",
        r"title = {On the {GPU}: na{\"\i}ve {B}ayes in $O(n^2)$ \& more --- 50\% off}",
    ):
        assert line in out


def test_title_that_was_changed_loses_its_old_braces(library):
    Inbox(library).collect(saved("@misc{a, title={Of {Maps}}, url={https://x.org/a}}"))
    (work,) = references_in_inbox(load_waiting(library))
    assert "title = {Of {Maps}}" in FORMATS["bibtex"]([work])
    assert "title = {Of {GPU} maps}" in FORMATS["bibtex"]([replace(work, title="Of GPU maps")])


def test_second_time_round_nothing_changes(library):
    Inbox(library).collect(saved(BIB))
    once = FORMATS["bibtex"](references_in_inbox(load_waiting(library)))
    other = Library(library.folder / "other")
    Inbox(other).collect(saved(once))
    twice = FORMATS["bibtex"](references_in_inbox(load_waiting(other)))
    assert by_bibtexparser(once) == by_bibtexparser(twice)


def test_types_are_right_for_ris_and_csl(library):
    Inbox(library).collect(saved(BIB))
    works = references_in_inbox(load_waiting(library))
    ris = {one["id"]: one for one in rispy.load(io.StringIO(FORMATS["ris"](works)))}
    csl = {one["id"]: one for one in json.loads(FORMATS["csl"](works))}
    assert {key: (one["type_of_reference"], csl[key]["type"]) for key, one in ris.items()} == {
        "vaneck1999": ("JOUR", "article-journal"),
        "Pot:2020": ("CPAPER", "paper-conference"),
        "thesis9": ("THES", "thesis"),
        "book1": ("BOOK", "book"),
        "pre21": ("UNPB", "article"),
        "tr": ("RPRT", "report"),
        "web": ("ELEC", "webpage"),
        "soft": ("COMP", "software"),
        "ch": ("CHAP", "chapter"),
        "corr": ("UNPB", "article"),
        "draft": ("UNPB", "manuscript"),
        "others": ("JOUR", "article-journal"),
        "hal19": ("GEN", "document"),
        "biblatex": ("ELEC", "webpage"),
    }
    first = ris["vaneck1999"]
    assert first["authors"] == [
        "van Eck, Pierre-Louis", "Østergård, Søren", "Institute of Things and Stuff", "King, Jr, Martin",
    ]  # fmt: skip
    assert (first["secondary_title"], first["start_page"], first["end_page"], first["doi"]) == (
        "Journal of Tests", "1", "17", "10.1000/ABC_d.5",
    )  # fmt: skip
    assert csl["vaneck1999"]["author"][2:] == [
        {"literal": "Institute of Things and Stuff"},
        {"family": "King", "given": "Martin", "suffix": "Jr"},
    ]


LETTERS = st.characters(codec="utf-8", categories=("Lu", "Ll", "Nd"), max_codepoint=0x3FF)
WORD = st.text(LETTERS, min_size=1, max_size=8)
MARK = st.sampled_from(["", ",", ":", " &", " %", "#", "_x", " –", " — “q”", "’s", " (a)", "$k$", "/", "?", "~", "+", " {B}"])  # fmt: skip
WORDS = st.lists(st.builds(lambda word, mark: word + mark, WORD, MARK), min_size=1, max_size=5).map(
    " ".join
)
NAMES = st.lists(
    st.builds(lambda family, given: f"{family}, {given}", WORD.filter(str.isalpha), WORD.filter(str.isalpha))
    .filter(lambda name: "and" not in name.lower().replace(",", "").split()),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    titles=st.lists(WORDS, min_size=1, max_size=3),
    authors=NAMES,
    entry_type=st.sampled_from(["article", "inproceedings", "book", "misc", "phdthesis", "online"]),
    year=st.integers(1900, 2030),
    field=WORDS,
    tags=st.lists(WORD, max_size=3, unique_by=str.casefold),
)
def test_works_of_any_letters_come_back_as_they_were(
    titles, authors, entry_type, year, field, tags
):
    from studiolo.library.references import Reference

    works = [
        Reference(
            None,
            f"https://x.org/{number}",
            title,
            tuple(authors),
            year,
            tags=tuple(tags),
            entry_type=entry_type,
            cite_key=f"k{number}",
            fields={"publisher": field},
        )
        for number, title in enumerate(titles)
    ]
    text = FORMATS["bibtex"](works)
    assert len(pybtex.database.parse_string(text, "bibtex").entries) == len(works)
    for work, item in zip(works, saved(text), strict=True):
        assert item.title == " ".join(work.title.split())
        assert item.authors == work.authors
        assert (item.year, item.entry_type, item.cite_key) == (year, entry_type, work.cite_key)
        assert item.tags == tuple(tags)
        assert item.extra["publisher"] == field
        assert item.url == work.url


RIS = """TY  - CHAP
ID  - example2020
TI  - A Chapter
AU  - Example, Ann
PY  - 2020
DA  - 2020/05/12/
T2  - A Book of Maps
A2  - Sample, Bo
A2  - Third, Cy
Y2  - 2024/01/02/
VL  - 3
PB  - Map Press
CY  - Bern
SN  - 978-1-2345-6789-7
ET  - 2
LA  - en
T3  - Books of Maps
SP  - 1
EP  - 9
DO  - 10.1000/a
KW  - maps
"""
CSL = [
    {
        "id": "example2020", "type": "chapter", "title": "A Chapter", "author": [{"family": "Example", "given": "Ann"}],
        "editor": [{"family": "Sample", "given": "Bo"}, {"literal": "Map Society"}], "issued": {"date-parts": [[2020, 5, 12]]},
        "accessed": {"date-parts": [[2024, 1, 2]]}, "container-title": "A Book of Maps", "page": "1-9", "volume": "3", "issue": "2",
        "publisher": "Map Press", "publisher-place": "Bern", "ISBN": "978-1-2345-6789-7", "edition": "2", "language": "en",
        "collection-title": "Books of Maps", "event-title": "Maps 2020", "DOI": "10.1000/a", "keyword": "maps",
    }
]  # fmt: skip


def read_and_written(library, tmp_path, text, written):
    path = tmp_path / "in.txt"
    path.write_text(text)
    Inbox(library).collect([thing for thing in load_zotero(path) if isinstance(thing, SavedItem)])
    return FORMATS[written](references_in_inbox(load_waiting(library)))


def test_reference_in_ris_comes_out_with_every_line_that_it_had(library, tmp_path):
    out = read_and_written(library, tmp_path, RIS, "ris").replace("\r\n", "\n")
    lines = set(out.splitlines())
    assert [line for line in RIS.splitlines() if line not in lines] == []


def test_reference_in_csl_comes_out_with_every_field_that_it_had(library, tmp_path):
    (out,) = json.loads(read_and_written(library, tmp_path, json.dumps(CSL), "csl"))
    assert {name: out.get(name) for name in CSL[0]} == CSL[0]


def test_reference_in_csl_or_ris_has_the_fields_of_bibtex(library, tmp_path):
    out = read_and_written(library, tmp_path, json.dumps(CSL), "bibtex")
    for line in (
        "editor = {Sample, Bo and {Map Society}}",
        "pages = {1-9}",
        "number = {2}",
        "address = {Bern}",
        "series = {Books of Maps}",
        "urldate = {2024-01-02}",
        "date = {2020-05-12}",
    ):
        assert line in out
