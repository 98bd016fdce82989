import csv
import io
import json
from dataclasses import replace

import pytest
from bibtexparser.entrypoint import parse_string

from studiolo.keys import Key
from studiolo.library import (
    FORMATS,
    Inbox,
    Library,
    Reference,
    in_section,
    load_waiting,
    references_in_inbox,
    references_in_library,
)
from studiolo.library.cite_keys import CiteKeys, with_cite_keys
from studiolo.library.export import to_bibtex, to_csl, to_csv, to_html, to_json, to_ris
from studiolo.lists import Document
from studiolo.sources import SavedItem
from studiolo.sources.netscape import parse_netscape
from tests.sources.reading import split


FNET = Reference(
    Key("arxiv", "2105.03824"),
    "https://arxiv.org/abs/2105.03824",
    "FNet: Mixing Tokens with Fourier Transforms",
    ("James Lee-Thorp", "Ilya van der Eckstein"),
    2021,
    section=("To Review", "Transformers"),
    tags=("fourier",),
    notes=("Could this be used to accelerate pretraining?",),
    saved_at="2021-05-25T10:00:00Z",
    keys=(Key("arxiv", "2105.03824"), Key("doi", "10.18653/v1/2022.x")),
    category="cs.CL",
)
EVIL = Reference(
    None,
    'https://x.org/"><script>',
    '=cmd|"/c calc"!A1 <script>alert(1)</script> }\\input{/etc/passwd}%\r\nER  - \x1b[31m',
    ("@SUM(A1)", "Bobby }; DROP"),
    notes=("+1", "</DL><script>", "a\nb"),
    tags=("-x", "a,b"),
    section=("</H3><script>",),
)


def cite_keys(works):
    return [work.cite_key for work in with_cite_keys(works, CiteKeys())]


def test_bibtex_is_read_back_by_a_parser():
    (entry,) = parse_string(to_bibtex([FNET])).entries
    fields = {field.key: field.value for field in entry.fields}
    assert entry.key == "leethorp2021fnet"
    assert fields["eprint"] == "2105.03824"
    assert fields["archivePrefix"] == "arXiv"
    assert fields["primaryClass"] == "cs.CL"
    assert fields["title"] == "{FNet}: Mixing Tokens with Fourier Transforms"
    assert fields["author"] == "James Lee-Thorp and Ilya van der Eckstein"


def test_cite_keys_are_unique_and_stay_when_the_list_is_sorted_anew():
    works = [
        Reference(Key("arxiv", f"2001.0000{i}"), "", "FNet again", ("J. Lee",), 2021)
        for i in range(4)
    ]
    keys = dict(zip((work.key for work in works), cite_keys(works), strict=True))
    assert (
        sorted(keys.values()) == ["lee2021fnet", "lee2021fneta", "lee2021fnetb", "lee2021fnetc"]
        or len(set(keys.values())) == 4
    )
    assert (
        dict(zip((work.key for work in works[::-1]), cite_keys(works[::-1]), strict=True)) == keys
    )


def test_cite_keys_have_letters_enough_for_a_thousand_doubles():
    keys = cite_keys(
        [Reference(None, f"https://x.org/{i}", "Same title", (), 2021) for i in range(1000)]
    )
    assert len(set(keys)) == 1000


def test_csl_has_family_given_and_date():
    (item,) = json.loads(to_csl([FNET]))
    assert item["author"] == [
        {"family": "Lee-Thorp", "given": "James"},
        {"family": "van der Eckstein", "given": "Ilya"},
    ]
    assert item["issued"] == {"date-parts": [[2021]]}
    assert (item["DOI"], item["number"]) == ("10.18653/v1/2022.x", "arXiv:2105.03824")


def test_ris_has_two_blanks_and_carriage_returns():
    lines = to_ris([FNET]).split("\r\n")
    assert lines[:2] == ["TY  - UNPB", "ID  - leethorp2021fnet"]
    assert "AU  - Lee-Thorp, James" in lines
    assert lines[-3:] == ["ER  - ", "", ""]


def test_bookmarks_are_read_back_with_folders_tags_dates_and_notes():
    other = Reference(None, "https://x.org/", "X", section=("To Review",))
    items, folders, skipped = split(
        parse_netscape(io.BytesIO(to_html([other, FNET]).encode()), "f")
    )
    assert [(item.url, item.folder) for item in items] == [
        ("https://x.org/", ("To Review",)),
        (FNET.url, FNET.section),
    ]
    assert (items[1].tags, items[1].note, items[1].saved_at) == (
        FNET.tags,
        FNET.notes[0],
        FNET.saved_at,
    )
    assert [folder.path for folder in folders] == [("To Review",), ("To Review", "Transformers")]
    assert skipped == []


def test_html_neutralises_markup():
    text = to_html([EVIL])
    assert "<script" not in text.lower()
    items, folders, _ = split(parse_netscape(io.BytesIO(text.encode()), "f"))
    assert [item.url for item in items] == [EVIL.url]
    assert [folder.path for folder in folders] == [EVIL.section]


def test_addresses_that_run_are_not_exported():
    assert "javascript" not in to_html([Reference(None, "javascript:alert(1)", "x"), FNET])


def test_bibtex_neutralises_commands_and_stays_one_entry():
    library = parse_string(to_bibtex([EVIL, FNET]))
    assert len(library.entries) == 2
    assert library.failed_blocks == []
    assert "\\input{" not in to_bibtex([EVIL])


@pytest.mark.parametrize("title", ["A {", "A }", "}{", "A \\{B", "A {B} C"])
def test_lone_brace_in_a_title_spoils_no_bibtex(title):
    text = to_bibtex([Reference(None, "https://x.org/", title, notes=(title,)), FNET])
    library = parse_string(text)
    assert (len(library.entries), library.failed_blocks) == (2, [])
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("form", ["html", "csv", "ris", "bibtex", "csl", "json", "markdown"])
def test_no_control_character_is_exported(form):
    evil = "a\x1b]0;x\x07\x9b\x7f\0b"
    text = FORMATS[form]([Reference(None, "https://x.org/", evil, (evil,), tags=(evil,), notes=(evil,), section=(evil,))])  # fmt: skip
    shown = json.dumps(json.loads(text)) if form in ("csl", "json") else text
    assert not [letter for letter in shown if not letter.isprintable() and letter not in "\r\n\t"]


def test_ris_stays_one_record():
    text = to_ris([EVIL])
    assert text.count("\r\nER  - \r\n") == 1
    assert all(line == "" or line[2:6] == "  - " for line in text.split("\r\n"))
    assert "\x1b" not in text


def test_no_cell_of_a_spreadsheet_begins_a_formula():
    rows = list(csv.reader(io.StringIO(to_csv([EVIL, FNET]))))
    assert len(rows) == 3
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell]
    assert rows[1][2].startswith("'=cmd")


def test_json_holds_everything():
    (item,) = json.loads(to_json([FNET]))
    assert item["section"] == ["To Review", "Transformers"]
    assert item["keys"] == ["arxiv:2105.03824", "doi:10.18653/v1/2022.x"]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_exported_as_something_valid(form):
    assert isinstance(FORMATS[form]([]), str)


def test_works_of_lists_and_inbox_are_exported(tmp_path):
    (tmp_path / "a.md").write_text("# A\n\n* [FNet](https://arxiv.org/abs/2105.03824)\n")
    (tmp_path / "b.md").write_text("# B\n\n* https://arxiv.org/abs/2105.03824\n* https://x.org/\n")
    library = Library(tmp_path)
    Inbox(library).collect(
        [SavedItem("bookmarks", "https://arxiv.org/abs/1912.07242", "More data", folder=("F",))]
    )
    works = references_in_library(library)
    assert [work.url for work in works] == ["https://arxiv.org/abs/2105.03824", "https://x.org/"]
    assert [work.title for work in in_section(works, "a")] == ["FNet"]
    (waiting,) = references_in_inbox(load_waiting(library))
    assert (waiting.section, waiting.state) == (("F",), "inbox")


def test_markdown_is_read_back_as_it_was():
    evil = "[x](javascript:alert(1)) <b>* #A_b_ \\"
    works = [
        replace(FNET, notes=("a *note*", "# no heading")),
        Reference(None, "https://x.org/a_(b", evil, (evil,), 2020, section=("One", evil), tags=("two words", "nlp")),
        Reference(None, "javascript:alert(1)", "Runs nothing", section=("One",)),
    ]  # fmt: skip
    document = Document(FORMATS["markdown"](works).encode())
    found = {entry.title: entry for entry in document.entries}
    assert [str(key) for key in found[FNET.title].keys] == ["arxiv:2105.03824"]
    assert found[FNET.title].year == FNET.year
    assert [note.text for note in found[FNET.title].notes] == ["a *note*", "# no heading"]
    assert found[FNET.title].section == FNET.section
    assert all(link.url.startswith("https://") for link in document.links)
    assert any("nlp" in entry.tags for entry in document.entries)
    assert len(document.entries) == 3
    lines = document.data.decode().split("\n")
    headings = [number for number, line in enumerate(lines) if line.startswith("#")]
    assert all(lines[number - 1] == "" for number in headings if number)
