import pytest

from studiolo.sources.netscape import CHUNK, MAX_DEPTH, NOTE_CHARS, parse_netscape

from .reading import split, stream


HEAD = "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<TITLE>Bookmarks</TITLE>\n<H1>Bookmarks</H1>\n"


def read(text):
    return split(parse_netscape(stream(text), "b.html"))


def only(text):
    items, _, skipped = read(text)
    assert (len(items), skipped) == (1, [])
    return items[0]


def test_bookmark_keeps_folder_date_tags_and_note():
    items, folders, _ = read(
        HEAD
        + """<DL><p>
  <DT><H3 ADD_DATE="1456433722" LAST_MODIFIED="1456433739">Papers</H3>
  <DD>To read
  <DL><p>
    <DT><H3>Attention</H3>
    <DL><p>
      <DT><A HREF="https://arxiv.org/abs/2105.03824" ADD_DATE="1616337559" TAGS="fourier,to read" PRIVATE="1">FNet &amp; friends</A>
      <DD>Could this speed up pretraining?
    </DL><p>
  </DL><p>
</DL><p>"""
    )
    (item,) = items
    assert item.url == "https://arxiv.org/abs/2105.03824"
    assert item.title == "FNet & friends"
    assert item.folder == ("Papers", "Attention")
    assert item.tags == ("fourier", "to read")
    assert item.note == "Could this speed up pretraining?"
    assert item.saved_at == "2021-03-21T14:39:19Z"
    assert item.extra == {"private": "1"}
    assert item.place == "b.html:10"
    assert [(folder.path, folder.note) for folder in folders] == [
        (("Papers",), "To read"),
        (("Papers", "Attention"), ""),
    ]
    assert folders[0].saved_at == "2016-02-25T20:55:22Z"
    assert folders[0].modified_at == "2016-02-25T20:55:39Z"


def test_note_may_have_many_lines_and_code():
    item = only(
        '<DL><p><DT><A HREF="https://x.org/">x</A>\n<DD>List:\n- a->b\n  - c < d\n\nEnd.\n</DL><p>'
    )
    assert item.note == "List:\n- a->b\n  - c < d\n\nEnd."


def test_safari_without_outer_list_keeps_its_folders():
    items, folders, _ = read(
        '<HTML><H1>Signets</H1><DT><H3 FOLDED>Favoris</H3><DL><p><DT><A HREF="https://a.org/">a</A></DL><p>'
        '<DT><H3 FOLDED>Leer</H3><DL><p></DL><p><DT><A HREF="https://b.org/">b</A></HTML>'
    )
    assert [(item.url, item.folder) for item in items] == [
        ("https://a.org/", ("Favoris",)),
        ("https://b.org/", ()),
    ]
    assert [folder.path for folder in folders] == [("Favoris",), ("Leer",)]


def test_file_without_any_list_gives_its_links():
    items, _, _ = read('<A HREF="https://a.org/">a</A><br><A HREF="https://b.org/">b</A>')
    assert [item.url for item in items] == ["https://a.org/", "https://b.org/"]


def test_small_letters_and_single_quotes_are_read():
    item = only("<dl><dt><a href='https://x.org/?a=1&b=2' add_date='0'>x</a></dl>")
    assert (item.url, item.saved_at, dict(item.extra)) == ("https://x.org/?a=1&b=2", None, {})


def test_ampersand_without_semicolon_is_no_entity():
    assert (
        only('<DT><A HREF="https://x.org/?a=1&copy=2&amp;b=3">x</A>').url
        == "https://x.org/?a=1&copy=2&b=3"
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1616337559", "2021-03-21T14:39:19Z"),
        ("1616337559000", "2021-03-21T14:39:19Z"),
        ("1616337559000123", "2021-03-21T14:39:19.000123Z"),
        ("13084680099000000", "2015-08-22T01:21:39Z"),
        ("2021-03-21T14:39:19.000000+02:00", "2021-03-21T12:39:19Z"),
    ],
)
def test_dates_of_every_epoch_are_understood(written, meant):
    assert only(f'<DT><A HREF="https://x.org/" ADD_DATE="{written}">x</A>').saved_at == meant


def test_date_that_is_none_is_kept_as_written():
    item = only('<DT><A HREF="https://x.org/" ADD_DATE="last spring">x</A>')
    assert (item.saved_at, item.extra["add_date"]) == (None, "last spring")


@pytest.mark.parametrize(
    ("attributes", "tags"),
    [
        ('TAGS="a, b ,multi word"', ("a", "b", "multi word")),
        ('TAGS="private secret"', ("private", "secret")),
        ('TAGS="one\ttwo  three"', ("one", "two", "three")),
        ('LAST_MODIFIED="1" TAGS="machine learning"', ("machine learning",)),
        ('TAGS="a,a,,b"', ("a", "b")),
    ],
)
def test_tags_are_split_as_their_program_means_it(attributes, tags):
    assert only(f'<DT><A HREF="https://x.org/" {attributes}>x</A>').tags == tags


def test_icons_are_left_away_and_everything_else_is_kept():
    item = only(
        '<DT><A HREF="https://x.org/" ICON="data:image/png;base64,AAAA" SHORTCUTURL="kw" LAST_CHARSET="UTF-8">x</A>'
    )
    assert dict(item.extra) == {"shortcuturl": "kw", "last_charset": "UTF-8"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("place:type=6", "smart folder of Firefox"),
        ("javascript:alert(1)", "bookmarklet"),
        (" JavaScript:alert(1)", "bookmarklet"),
        ("data:text/html,x", "data: address"),
        ("about:config", "page of the browser itself"),
        ("", "without an address"),
    ],
)
def test_what_is_no_page_is_skipped_with_place_and_reason(url, why):
    items, _, skipped = read(f'\n<DT><A HREF="{url}">name</A>')
    assert items == []
    assert skipped[0].place == "b.html:2"
    assert why in skipped[0].why


def test_notes_of_shaarli_have_a_relative_address_and_are_kept():
    item = only('<DT><A HREF="?lY47tw" ADD_DATE="1459371397">Recipe</A>\n<DD>"is there anything')
    assert (item.url, item.note) == ("?lY47tw", '"is there anything')


def test_description_as_an_attribute_is_the_note():
    assert only('<DT><A HREF="https://x.org/" DESCRIPTION="two\nlines">x</A>').note == "two\nlines"


def test_script_in_a_title_is_text():
    item = only('<DT><A HREF="https://x.org/">a<script>alert(1)</script> b</A>')
    assert item.title == "aalert(1) b"


def test_greater_than_in_a_quoted_value_does_not_end_the_tag():
    assert only('<DT><A HREF="https://x.org/?a>b" TITLE="it\'s">x</A>').url == "https://x.org/?a>b"


def test_stray_quotes_hide_nothing():
    items, _, _ = read(
        """<DT><A HREF="https://a.org/" it's>a</A><DT><A "HREF="https://b.org/">b</A><DT><A HREF=https://c.org/ x">c</A>"""
    )
    assert [item.url for item in items] == ["https://a.org/", "https://b.org/", "https://c.org/"]


def test_comment_is_no_bookmark():
    items, _, _ = read(
        '<!-- <DT><A HREF="https://no.org/">no</A> --><DT><A HREF="https://x.org/">x</A>'
    )
    assert [item.url for item in items] == ["https://x.org/"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark_is_obeyed(encoding):
    assert only('<DT><A HREF="https://x.org/">größer</A>'.encode(encoding)).title == "größer"


def test_charset_of_the_file_is_obeyed():
    text = '<META CONTENT="text/html; charset=windows-1252"><DT><A HREF="https://x.org/">größer</A>'
    assert only(text.encode("cp1252")).title == "größer"


def test_unknown_charset_is_read_as_utf_8():
    assert (
        only(
            '<META CONTENT="text/html; charset=klingon"><DT><A HREF="https://x.org/">größer</A>'
        ).title
        == "größer"
    )


def test_codec_that_is_no_charset_is_not_run():
    assert only('<META CONTENT="charset=zip"><DT><A HREF="https://x.org/">x</A>').title == "x"


def test_tag_across_two_reads_is_whole():
    filler = "<DD>" + "x" * (CHUNK - 30)
    items, _, _ = read(
        f'<DT><A HREF="https://a.org/">a</A>{filler}<DT><A HREF="https://b.org/" TAGS="t">b</A>'
    )
    assert [(item.url, item.tags) for item in items] == [
        ("https://a.org/", ()),
        ("https://b.org/", ("t",)),
    ]


def test_line_numbers_count_across_reads():
    items, _, _ = read("\n" * (2 * CHUNK) + '<DT><A HREF="https://b.org/">b</A>')
    assert items[0].place == f"b.html:{2 * CHUNK + 1}"


def test_endless_note_is_cut_and_told():
    items, _, skipped = read('<DT><A HREF="https://x.org/">x</A><DD>' + "y" * (3 * NOTE_CHARS))
    assert len(items[0].note) == NOTE_CHARS
    assert "the rest of a note" in skipped[0].why


def test_endless_nesting_flattens_and_loses_no_link():
    text = (
        "".join(f"<DT><H3>f{i}</H3><DL><p>" for i in range(5000))
        + '<DT><A HREF="https://x.org/">x</A>'
    )
    items, folders, _ = read(text)
    assert len(items[0].folder) == MAX_DEPTH
    assert len(folders) == 5000


def test_empty_file_holds_nothing():
    assert read("") == ([], [], [])


def test_link_whose_tag_never_ends_is_told_and_hides_no_other():
    items, _, skipped = read('<DT><A HREF=<DT>\n<DT><A HREF="https://b.org/">b</A>')
    assert [item.url for item in items] == ["https://b.org/"]
    assert [str(one) for one in skipped] == ["b.html:1: a bookmark or folder whose tag never ends"]


def test_missing_quote_hides_no_bookmark():
    items, _, skipped = read(
        '<DT><A HREF="https://a.org/>a</A>\n<DT><A HREF="https://b.org/">b</A>'
    )
    assert [(item.url, item.title) for item in items] == [
        ("https://a.org/", "a"),
        ("https://b.org/", "b"),
    ]
    assert skipped == []


def test_tag_as_long_as_the_file_is_told_in_little_memory():
    _, _, skipped = read('<DT><A HREF="' + "x" * (4 * CHUNK))
    assert [str(one) for one in skipped] == ["b.html:1: a bookmark or folder whose tag never ends"]


def test_link_in_a_note_is_part_of_the_note():
    items, _, skipped = read(
        '<DL><p><DT><A HREF="https://x.org/a" ADD_DATE="1182264859">A</A>\n<DD>before, <a href="https://x.org/b">that one</a> and after,'
        ' <a href="https://x.org/c">https://x.org/c</a>\n<DT><A HREF="https://x.org/d">D</A></DL>'
    )
    assert [(item.url, item.note) for item in items] == [
        ("https://x.org/a", "before, that one (https://x.org/b) and after, https://x.org/c"),
        ("https://x.org/d", ""),
    ]
    assert skipped == []


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("<someXML/>", "<someXML/>"),
        ("Editing in a <textarea>", "Editing in a <textarea>"),
        ("std::vector<int>", "std::vector<int>"),
        ("<b>Bold</b> and <i>not</i>", "Bold and not"),
        ("&lt;b&gt; is bold", "<b> is bold"),
    ],
)
def test_title_keeps_what_is_no_markup_of_a_page(written, title):
    assert only(f'<DL><p><DT><A HREF="https://x.org/">{written}</A></DL>').title == title


def test_markup_around_a_note_is_no_part_of_it():
    item = only(
        '<DL><p><DT><A HREF="https://x.org/">x</A>\n<DD><blockquote>quoted</blockquote>and <ul><li>one</li><li>two</li></ul></DL>'
    )
    assert item.note == "quoted\nand\none\ntwo"


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ('"",$",bash,quoting"', ('"', '$"', "bash", "quoting")),
        ('"a,"b",c" PRIVATE="1"', ("a", '"b"', "c")),
        ('"a,b" TOREAD="1"', ("a", "b")),
        ('""', ()),
    ],
)
def test_quotes_in_tags_lose_no_tag(written, tags):
    assert only(f'<DL><p><DT><A HREF="https://x.org/" TAGS={written}>x</A></DL>').tags == tags


@pytest.mark.parametrize(
    "url",
    [
        "chrome-extension://efaidnbmnnnibpcajpcglclefindmkaj/https://arxiv.org/pdf/1812.00001.pdf",
        "moz-extension://0a1b/content/web/viewer.html?file=https%3A%2F%2Farxiv.org%2Fpdf%2F1812.00001.pdf",
        "about:reader?url=https%3A%2F%2Farxiv.org%2Fpdf%2F1812.00001.pdf",
        "view-source:https://arxiv.org/pdf/1812.00001.pdf",
    ],
)
def test_page_in_a_viewer_is_saved_as_the_page(url):
    assert (
        only(f'<DL><p><DT><A HREF="{url}">x</A></DL>').url == "https://arxiv.org/pdf/1812.00001.pdf"
    )


def test_bookmark_file_in_windows_letters_keeps_them():
    item = only('<DL><p><DT><A HREF="https://x.org/">Über “Möbel”</A></DL>'.encode("cp1252"))
    assert item.title == "Über “Möbel”"


def test_titles_and_notes_are_kept_as_they_were_saved():
    items, _, skipped = read(
        """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE><H1>Bookmarks</H1>
<DL><p>
<DT><A HREF="https://arxiv.org/abs/1812.00001" ADD_DATE="1616337559" TAGS="sea,two words">[1812.00001] On Ships</A>
<DD>my own: | pipes | *stars* and [brackets](x)
second line
<DT><A HREF="https://arxiv.org/abs/1812.00002" ADD_DATE="1616337560">Pipes | `code`, *star*, $x$, &lt;b&gt;, ![img](x), [[wiki]], #tag and \\</A>
<DT><A HREF="https://arxiv.org/abs/1812.00003" ADD_DATE="1616337561">1. Numbered &amp; “quoted” # heading</A>
</DL><p>"""
    )
    assert [item.title for item in items] == [
        "[1812.00001] On Ships",
        "Pipes | `code`, *star*, $x$, <b>, ![img](x), [[wiki]], #tag and \\",
        "1. Numbered & “quoted” # heading",
    ]
    assert items[0].note == "my own: | pipes | *stars* and [brackets](x)\nsecond line"
    assert (items[0].tags, items[0].folder) == (("sea", "two words"), ())
    assert all(item.saved_at for item in items)
    assert skipped == []
