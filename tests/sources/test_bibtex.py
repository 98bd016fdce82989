"""References in BibTeX: what the file says of each is kept in its own field."""

import pytest

from studiolo.keys import find_key
from studiolo.sources.bibtex import authors_of, decoded, parse_bibtex

from .reading import split


def read(text):
    return split(parse_bibtex(text.encode(), "refs.bib"))


def test_every_field_of_an_entry_is_kept():
    text = r"""
@article{noether1918,
  title = {Invariante {V}ariationsprobleme},
  author = {Noether, Emmy and M{\"u}ller, J{\"o}rg and {Institute of Things and Stuff} and others},
  journal = {Nachr. Ges. Wiss.}, volume = {2}, pages = {235--257}, year = 1918, publisher = {Some \& Sons},
  doi = {10.1007/BF01456663}, keywords = {symmetry, conserved quantities; not this}, note = {read \S 2 first},
  timestamp = {2024.03.05}, groups = {Thesis}
}"""
    (item,), _, skipped = read(text)
    assert skipped == []
    assert (item.url, item.title, item.year) == (
        "https://doi.org/10.1007/BF01456663", "Invariante Variationsprobleme", 1918,
    )  # fmt: skip
    assert item.authors == ("Noether, Emmy", "Müller, Jörg", "{Institute of Things and Stuff}")
    assert (item.venue, item.entry_type, item.cite_key) == (
        "Nachr. Ges. Wiss.", "article", "noether1918",
    )  # fmt: skip
    assert item.tags == ("symmetry, conserved quantities", "not this")
    assert (item.note, item.folder, item.saved_at) == (
        "read §2 first",
        ("Thesis",),
        "2024-03-05T00:00:00Z",
    )
    assert item.extra["volume"] == "2"
    assert item.extra["pages"] == "235–257"
    assert item.extra["publisher"] == "Some & Sons"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ("journal={ArXiv}, volume={abs/1812.00001}", "arxiv:1812.00001"),
        ("journal={CoRR}, volume={abs/1812.00001}, ee={https://arxiv.org/abs/1812.00001}", "arxiv:1812.00001"),
        ("journal={arXiv preprint arXiv:1812.00001v2}", "arxiv:1812.00001"),
        ("journal={arXiv: Learning}, eprint={1812.00001}", "arxiv:1812.00001"),
        ("howpublished={arXiv:1812.00001 [cs.LG]}", "arxiv:1812.00001"),
        ("note={arXiv:hep-th/9901001}", "arxiv:hep-th/9901001"),
        ("eprint={hep-th/9901001}, archivePrefix={arXiv}", "arxiv:hep-th/9901001"),
        ("doi={https://doi.org/10.1162/neco.1989.1.4.541}", "doi:10.1162/neco.1989.1.4.541"),
        (r"doi={10.1007/978-3-319-24574-4\_28}", "doi:10.1007/978-3-319-24574-4_28"),
        ("doi={10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2}",
         "doi:10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2"),
        (r"howpublished={\url{https://example.org/a\_b}}", "url:https://example.org/a_b"),
        ("isbn={978-0-387-31073-2}", "url:https://openlibrary.org/isbn/9780387310732"),
    ],
)  # fmt: skip
def test_address_of_an_entry_is_the_strongest_that_it_names(fields, key):
    (item,), _, _ = read(f"@misc{{x, title={{T}}, {fields}}}")
    assert str(find_key(item.url)) == key


@pytest.mark.parametrize(
    "fields",
    ["journal={ArXiv}, volume={7}", "eprint={1234}", "volume={abs/1812.00001}", "doi={soon}"],
)
def test_entry_that_names_no_address_is_skipped_with_its_title(fields):
    items, _, (skipped,) = read(f"@misc{{x, title={{A title}}, {fields}}}")
    assert items == []
    assert skipped.why == "no eprint, doi, url or isbn: A title"


def test_types_as_the_api_of_semantic_scholar_writes_them_are_read():
    (item,), _, skipped = read(
        "@['JournalArticle', 'Review']{x2018, title={T}, journal={ArXiv}, volume={abs/1805.00001}}"
    )
    assert (item.entry_type, item.cite_key, skipped) == ("article", "x2018", [])


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"{\L}ukasz Erd\H{o}s, \c{C}elik and \'{\i}", "Łukasz Erdős, Çelik and í"),
        (r"50% of {B}ayes \& co", "50% of Bayes & co"),
        (r"An $O(n^2)$ bound", "An $O(n^2)$ bound"),
        ("``Quoted'' -- and --- dashed", "“Quoted” – and — dashed"),
        ("plain_text with ^ and #", "plain_text with ^ and #"),
        (r"\emph{very} old", "very old"),
        ("https://example.org/a--b?c=50%25", "https://example.org/a--b?c=50%25"),
        (r"an \unknowncommand and {", r"an \unknowncommand and"),
    ],
)
def test_latex_is_read_as_the_text_that_it_prints(latex, text):
    assert decoded(latex) == text


def test_organisation_keeps_its_braces_and_a_word_does_not():
    assert authors_of("{Google Research} and {OpenAI} and {\\'E}mile Borel") == (
        "{Google Research}", "OpenAI", "Émile Borel",
    )  # fmt: skip


def test_pieces_of_a_value_are_put_together():
    (item,) = parse_bibtex(
        b'@string{venue = "Proceedings of Maps"}\n@string{press = {Map} # " Press"}\n'
        b'@inproceedings{a, title = {C # and D}, booktitle = venue # " 30", month = "5~" # jan, publisher = press, '
        b"doi = {10.1000/a}, series = {A # B}, year = 2020}",
        "a.bib",
    )
    assert (item.title, item.venue) == ("C # and D", "Proceedings of Maps 30")
    assert item.extra["month"] == "5\xa0jan"
    assert (item.extra["publisher"], item.extra["series"]) == ("Map Press", "A # B")


def test_chapter_takes_from_its_book_what_it_has_not_itself():
    chapter, book = parse_bibtex(
        b"@incollection{chap, author = {Ann Example}, title = {A Chapter}, crossref = {Book}, pages = {1--9}, "
        b"doi = {10.1000/chapter}}\n"
        b"@book{book, editor = {Bo Sample}, title = {A Book of Maps}, publisher = {Map Press}, year = 1999, "
        b"isbn = {978-1-2345-6789-7}, doi = {10.1000/book}}",
        "a.bib",
    )
    assert (chapter.venue, chapter.year, chapter.url) == (
        "A Book of Maps",
        1999,
        "https://doi.org/10.1000/chapter",
    )
    assert chapter.extra["editor"] == "Bo Sample"
    assert chapter.extra["publisher"] == "Map Press"
    assert "crossref" not in chapter.extra
    assert (book.title, book.venue) == ("A Book of Maps", "")


def test_cross_reference_to_a_book_that_is_not_there_stays():
    (chapter,) = parse_bibtex(
        b"@incollection{chap, title = {A Chapter}, crossref = {book}, doi = {10.1000/chapter}}",
        "a.bib",
    )
    assert chapter.extra["crossref"] == "book"


def test_entry_without_a_key_is_nobody_s_book():
    text = (
        b"@book{, title={A Book}, year={1999}}\n@article{one, title={One}, url={https://a.org/1}}"
    )
    [one] = [thing for thing in parse_bibtex(text, "f") if getattr(thing, "title", "") == "One"]
    assert one.year is None
