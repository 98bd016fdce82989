import json
import plistlib
import sqlite3
from datetime import datetime

import lz4.block
import pytest

from studiolo.errors import SourceError
from studiolo.sources.bookmarks import load_bookmarks
from studiolo.sources.firefox import LZ4_MAGIC
from studiolo.sources.safari import parse_safari

from .reading import split


CHROME = {
    "checksum": "0",
    "version": 1,
    "roots": {
        "bookmark_bar": {
            "type": "folder",
            "name": "Bookmarks bar",
            "date_added": "13084680099000000",
            "children": [
                {
                    "type": "url",
                    "name": "FNet",
                    "url": "https://arxiv.org/abs/2105.03824",
                    "date_added": "13084680099000000",
                    "date_last_used": "0",
                },
                {
                    "type": "folder",
                    "name": "ML",
                    "children": [
                        {"type": "url", "name": "js", "url": "javascript:void(0)"},
                        {"type": "url", "name": "x", "url": "https://x.org/", "date_added": "0"},
                    ],
                },
            ],
        },
        "other": {"type": "folder", "name": "Other bookmarks", "children": []},
        "sync_transaction_version": "1",
    },
}
FIREFOX = {
    "guid": "root________",
    "typeCode": 2,
    "root": "placesRoot",
    "children": [
        {
            "guid": "menu________",
            "title": "menu",
            "typeCode": 2,
            "children": [
                {
                    "typeCode": 1,
                    "title": "FNet",
                    "uri": "https://arxiv.org/abs/2105.03824",
                    "dateAdded": 1616337559000000,
                    "lastModified": 1616337560000000,
                    "tags": "fourier,machine learning",
                    "annos": [{"name": "bookmarkProperties/description", "value": "my note"}],
                },
                {"typeCode": 3, "type": "text/x-moz-place-separator"},
                {
                    "typeCode": 2,
                    "title": "Sub",
                    "children": [{"typeCode": 1, "uri": "place:sort=8", "title": "Recent"}],
                },
            ],
        }
    ],
}


def load(path):
    return split(load_bookmarks(path))


def test_chrome_file_keeps_folders_and_dates_since_1601(tmp_path):
    path = tmp_path / "Bookmarks"
    path.write_text(json.dumps(CHROME))
    items, folders, skipped = load(path)
    assert [(item.title, item.folder, item.saved_at) for item in items] == [
        ("FNet", ("Bookmarks bar",), "2015-08-22T01:21:39Z"),
        ("x", ("Bookmarks bar", "ML"), None),
    ]
    assert [folder.path for folder in folders] == [
        ("Bookmarks bar",),
        ("Bookmarks bar", "ML"),
        ("Other bookmarks",),
    ]
    assert len(skipped) == 1


@pytest.mark.parametrize("packed", [True, False])
def test_firefox_backup_keeps_tags_notes_and_dates(tmp_path, packed):
    data = json.dumps(FIREFOX).encode()
    path = tmp_path / "backup"
    path.write_bytes(LZ4_MAGIC + lz4.block.compress(data) if packed else data)
    items, folders, skipped = load(path)
    (item,) = items
    assert (item.tags, item.note) == (("fourier", "machine learning"), "my note")
    assert (item.saved_at, item.extra["last_modified"]) == (
        "2021-03-21T14:39:19Z",
        "2021-03-21T14:39:20Z",
    )
    assert item.folder == ("Bookmarks Menu",)
    assert [folder.path for folder in folders] == [("Bookmarks Menu",), ("Bookmarks Menu", "Sub")]
    assert "smart folder" in skipped[0].why


def make_places(path, *, wal=False):
    database = sqlite3.connect(path)
    if wal:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
    database.executescript(
        """
        CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT, title TEXT, description TEXT);
        CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY, type INTEGER, fk INTEGER, parent INTEGER, position INTEGER,
            title TEXT, dateAdded INTEGER, lastModified INTEGER, guid TEXT);
        INSERT INTO moz_places VALUES (1, 'https://arxiv.org/abs/2105.03824', 'page title', 'what the page says');
        INSERT INTO moz_places VALUES (2, 'place:parent=1', NULL, NULL);
        INSERT INTO moz_bookmarks VALUES (1, 2, NULL, 0, 0, '', 0, 0, 'root________');
        INSERT INTO moz_bookmarks VALUES (2, 2, NULL, 1, 0, 'menu', 0, 0, 'menu________');
        INSERT INTO moz_bookmarks VALUES (3, 2, NULL, 2, 0, 'ML', 1616337559000000, 0, 'aaaaaaaaaaaa');
        INSERT INTO moz_bookmarks VALUES (4, 2, NULL, 1, 1, 'tags', 0, 0, 'tags________');
        INSERT INTO moz_bookmarks VALUES (5, 2, NULL, 4, 0, 'fourier', 0, 0, 'bbbbbbbbbbbb');
        INSERT INTO moz_bookmarks VALUES (6, 1, 1, 3, 0, 'FNet', 1616337559000000, 1616337560000000, 'cccccccccccc');
        INSERT INTO moz_bookmarks VALUES (7, 1, 1, 5, 0, NULL, 0, 0, 'dddddddddddd');
        INSERT INTO moz_bookmarks VALUES (8, 3, NULL, 3, 1, NULL, 0, 0, 'eeeeeeeeeeee');
        INSERT INTO moz_bookmarks VALUES (9, 1, 2, 3, 2, 'smart', 0, 0, 'ffffffffffff');
        """
    )
    return database


def assert_is_the_tagged_page(items):
    assert [(item.title, item.folder, item.tags, item.saved_at, item.about) for item in items] == [
        (
            "FNet",
            ("Bookmarks Menu", "ML"),
            ("fourier",),
            "2021-03-21T14:39:19Z",
            "what the page says",
        )
    ]


def test_places_gives_each_page_once_with_its_tags(tmp_path):
    make_places(tmp_path / "places.sqlite").close()
    items, folders, skipped = load(tmp_path / "places.sqlite")
    assert_is_the_tagged_page(items)
    assert ("Bookmarks Menu", "ML") in [folder.path for folder in folders]
    assert "smart folder" in skipped[0].why


def test_places_is_read_while_firefox_holds_it_and_its_log(tmp_path):
    database = make_places(tmp_path / "places.sqlite", wal=True)
    database.execute("BEGIN EXCLUSIVE")
    try:
        assert (tmp_path / "places.sqlite-wal").stat().st_size > 0
        items, _, _ = load(tmp_path / "places.sqlite")
    finally:
        database.rollback()
        database.close()
    assert_is_the_tagged_page(items)


def test_circle_of_folders_in_places_ends(tmp_path):
    database = make_places(tmp_path / "places.sqlite")
    database.execute("UPDATE moz_bookmarks SET parent = 3 WHERE id = 2")
    database.commit()
    database.close()
    items, _, _ = load(tmp_path / "places.sqlite")
    assert len(items) == 1


def test_other_database_is_refused_with_a_sentence(tmp_path):
    sqlite3.connect(tmp_path / "x.sqlite").execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(
        SourceError, match=r"cannot be read as Firefox's places\.sqlite: no such table"
    ):
        load(tmp_path / "x.sqlite")


@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_safari_plist_keeps_folders_and_the_reading_list(tmp_path, form):
    tree = {
        "WebBookmarkType": "WebBookmarkTypeList",
        "Title": "",
        "Children": [
            {"WebBookmarkType": "WebBookmarkTypeProxy", "Title": "History"},
            {
                "WebBookmarkType": "WebBookmarkTypeList",
                "Title": "BookmarksBar",
                "Children": [
                    {
                        "WebBookmarkType": "WebBookmarkTypeLeaf",
                        "URLString": "https://x.org/",
                        "URIDictionary": {"title": "X"},
                    }
                ],
            },
            {
                "WebBookmarkType": "WebBookmarkTypeList",
                "Title": "com.apple.ReadingList",
                "Children": [
                    {
                        "WebBookmarkType": "WebBookmarkTypeLeaf",
                        "URLString": "https://arxiv.org/abs/2105.03824",
                        "URIDictionary": {"title": "FNet"},
                        "ReadingList": {
                            "DateAdded": datetime(2021, 5, 25),
                            "PreviewText": "We show",
                        },
                    }
                ],
            },
        ],
    }
    path = tmp_path / "Bookmarks.plist"
    path.write_bytes(plistlib.dumps(tree, fmt=form))
    items, folders, skipped = load(path)
    assert [(item.title, item.folder, item.saved_at, item.about) for item in items] == [
        ("X", ("Favourites",), None, ""),
        ("FNet", ("Reading List",), "2021-05-25T00:00:00Z", "We show"),
    ]
    assert [folder.path for folder in folders] == [("Favourites",), ("Reading List",)]
    assert skipped == []


def test_pinboard_json_calls_titles_descriptions(tmp_path):
    path = tmp_path / "pinboard.json"
    path.write_text(
        json.dumps(
            [
                {
                    "href": "https://x.org/",
                    "description": "Title",
                    "extended": "note",
                    "time": "2021-05-25T10:00:00Z",
                    "tags": "a b",
                    "toread": "yes",
                },
                7,
            ]
        )
    )
    items, _, skipped = load(path)
    assert (items[0].title, items[0].note, items[0].tags, items[0].saved_at) == (
        "Title",
        "note",
        ("a", "b"),
        "2021-05-25T10:00:00Z",
    )
    assert items[0].extra == {"toread": "yes"}
    assert str(skipped[0]) == "pinboard.json, item 2: not a bookmark but int"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"hello", r"is not a bookmark file that Studiolo knows: it starts with b'hello'"),
        (b"{}", r"is JSON, but neither Chrome's Bookmarks"),
        (b'{"roots": 3}', r"has no `roots`"),
        (b'{"roots": ', r"b:1: not JSON .* Was the download cut short\?"),
        (b"[" * 100_000, r"nests its brackets too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", r"is not a JSON export"),
        (b"\xff\xfe\xfd{", r"is not a bookmark file"),
        (LZ4_MAGIC + b"\xff\xff\xff\xff123", r"unpack to 4,294,967,295; that is not a backup"),
        (LZ4_MAGIC + b"\x10\0\0\0garbage", r"is damaged"),
        (b"bplist00garbage", r"is (not a property list|a damaged property list)"),
        (b"<?xml version='1.0'?><plist><dict/></plist>", r"has no `Children`"),
    ],
)
def test_unreadable_file_is_refused_with_a_sentence(tmp_path, data, sentence):
    path = tmp_path / "b"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=sentence):
        load(path)


def test_missing_file_and_folder_are_told(tmp_path):
    with pytest.raises(SourceError, match="There is no file"):
        load(tmp_path / "none")
    with pytest.raises(SourceError, match="is a folder, not a file"):
        load(tmp_path)


def test_empty_file_is_no_fault(tmp_path):
    (tmp_path / "b").write_bytes(b"")
    assert load(tmp_path / "b") == ([], [], [])


def test_entities_in_a_plist_are_refused():
    bomb = b'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><plist><dict><key>Children</key><string>&b;</string></dict></plist>'
    with pytest.raises(SourceError, match="not a property list that can be read"):
        list(parse_safari(bomb, "b"))


def test_binary_plist_that_shares_one_folder_a_billion_times_is_refused():
    node = {"Title": "f", "Children": []}
    for _ in range(30):
        node = {"Title": "f", "Children": [node, node]}
    with pytest.raises(SourceError, match=r"unfolds to more than 300,000 bookmarks"):
        for _ in parse_safari(plistlib.dumps(node, fmt=plistlib.FMT_BINARY), "b"):
            pass


def test_csv_of_raindrop_keeps_folder_note_tags_and_date(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(
        "id,title,note,excerpt,url,folder,tags,created,cover,highlights,favorite\n"
        '1,FNet,"my\nnote ""quoted""",We show,https://arxiv.org/abs/2105.03824,Papers/ML,"fourier, mixing",2021-05-25T10:00:00.000Z,,,false\n'
        "2,Bookmarklet,,,javascript:x,,,,,,\n"
    )
    items, _, skipped = load(path)
    (item,) = items
    assert (item.title, item.note, item.about) == ("FNet", 'my\nnote "quoted"', "We show")
    assert (item.folder, item.tags, item.saved_at) == (
        ("Papers", "ML"),
        ("fourier", "mixing"),
        "2021-05-25T10:00:00Z",
    )
    assert item.extra == {"id": "1", "favorite": "false"}
    assert item.place == "export.csv:2"
    assert skipped[0].place == "export.csv:4"


def test_csv_of_pocket_keeps_date_and_tags(tmp_path):
    path = tmp_path / "part_000000.csv"
    path.write_text(
        "title,url,time_added,tags,status\nhttps://x.org/,https://x.org/,1616337559,a|b,unread\n"
    )
    (item,) = load(path)[0]
    assert (item.title, item.saved_at, item.tags) == ("", "2021-03-21T14:39:19Z", ("a", "b"))
    assert item.extra == {"status": "unread"}


def test_csv_whose_quotation_never_closes_is_told(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('url,title\nhttps://x.org/,"open\nhttps://y.org/,y\n')
    items, _, skipped = load(path)
    assert items == []
    assert [one.why for one in skipped] == ["a row whose quotation mark never closes"]


def test_html_of_pocket_keeps_its_dates(tmp_path):
    path = tmp_path / "ril_export.html"
    path.write_text(
        '<!DOCTYPE html><html><body><h1>Unread</h1><ul><li><a href="https://x.org/" time_added="1616337559" tags="a,b">X</a></li></ul></body></html>'
    )
    (item,) = load(path)[0]
    assert (item.title, item.saved_at, item.tags) == ("X", "2021-03-21T14:39:19Z", ("a", "b"))
