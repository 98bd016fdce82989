import io
import os
import pickle
import sqlite3
import zlib

import pytest

from studiolo.errors import SourceError
from studiolo.sources.arxiv_sanity import PICKLE_BYTES, load_arxiv_sanity, load_plain_pickle

from .reading import split


TAGS = {"attention": {"2105.03824", "2009.14794"}, "to read": {"2105.03824"}, "empty": set()}


def lite(path, **users):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE tags (key TEXT PRIMARY KEY, value BLOB)")
    for name, value in users.items():
        database.execute("INSERT INTO tags VALUES (?, ?)", (name, value))
    database.commit()
    database.close()
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("packed", [True, False])
def test_tags_of_lite_are_read_from_every_protocol(tmp_path, protocol, packed):
    value = pickle.dumps(TAGS, protocol)
    path = lite(tmp_path / "dict.db", me=zlib.compress(value) if packed else value)
    items, _, skipped = split(load_arxiv_sanity(path))
    assert [(item.url, item.tags) for item in items] == [
        ("https://arxiv.org/abs/2009.14794", ("attention",)),
        ("https://arxiv.org/abs/2105.03824", ("attention", "to read")),
    ]
    assert skipped == []


def test_ids_that_lost_their_archive_are_skipped_with_a_reason(tmp_path):
    path = lite(tmp_path / "dict.db", me=pickle.dumps({"t": {"0211159", "2105.03824"}}))
    items, _, skipped = split(load_arxiv_sanity(path))
    assert len(items) == 1
    assert skipped[0].why == "not an arXiv id: 0211159"


def test_several_users_ask_for_a_choice(tmp_path):
    path = lite(tmp_path / "dict.db", me=pickle.dumps({"t": {"2105.03824"}}), you=pickle.dumps({}))
    with pytest.raises(SourceError, match=r"holds 2 users: me, you\. Choose one with --user"):
        list(load_arxiv_sanity(path))
    assert len(list(load_arxiv_sanity(path, "me"))) == 1
    with pytest.raises(SourceError, match="holds no user 'her'"):
        list(load_arxiv_sanity(path, "her"))


def test_library_of_the_first_site_is_read_with_dates(tmp_path):
    path = tmp_path / "as.db"
    database = sqlite3.connect(path)
    database.executescript(
        """CREATE TABLE user (user_id INTEGER PRIMARY KEY, username TEXT, pw_hash TEXT, creation_time INTEGER);
        CREATE TABLE library (lib_id INTEGER PRIMARY KEY, paper_id TEXT, user_id INTEGER, update_time INTEGER);
        INSERT INTO user VALUES (1, 'me', 'secret', 0);
        INSERT INTO library VALUES (1, '1512.03385', 1, 1616337559);"""
    )
    database.close()
    items, _, _ = split(load_arxiv_sanity(path))
    assert [(item.url, item.saved_at) for item in items] == [
        ("https://arxiv.org/abs/1512.03385", "2021-03-21T14:39:19Z")
    ]


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"hello")
    with pytest.raises(SourceError, match="is not an SQLite database"):
        list(load_arxiv_sanity(tmp_path / "x"))
    sqlite3.connect(tmp_path / "papers.db").execute("CREATE TABLE metas (a)").connection.close()
    with pytest.raises(SourceError, match=r"has the tables metas; dict\.db has `tags`"):
        list(load_arxiv_sanity(tmp_path / "papers.db"))


class Evil:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("packed", [True, False])
def test_pickle_that_runs_something_is_refused_and_runs_nothing(tmp_path, protocol, packed):
    canary = tmp_path / "canary"
    value = pickle.dumps(Evil(os.mkdir, str(canary)), protocol)
    with pytest.raises(
        SourceError, match=r"a pickle that is not plain data .* Nothing in it was run"
    ):
        load_plain_pickle(zlib.compress(value) if packed else value, "dict.db")
    assert not canary.exists()


@pytest.mark.parametrize(
    "value",
    [
        b"c__builtin__\neval\n(S'1+1'\ntR.",
        b"cbuiltins\ngetattr\n(cbuiltins\nset\nS'__class__'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.",
        b"\x80\x02cos\nsystem\nq\x00.",
        b"Pperson\n.",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x05\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02" + b"]" * 10 + b"a" * 200 + b".",
        b"",
        b"\x80",
        b".",
    ],
)
def test_malicious_and_broken_pickles_are_refused(value):
    with pytest.raises(SourceError, match=r"dict\.db holds a pickle"):
        load_plain_pickle(value, "dict.db")


def test_tuple_that_is_dear_to_hash_is_refused():
    value = b"\x80\x02}" + b"K\x01K\x02\x86" + b"q\x00h\x00\x86" * 40 + b"K\x01s."
    with pytest.raises(SourceError, match="it uses TUPLE2"):
        load_plain_pickle(value, "dict.db")


def test_zlib_bomb_is_refused():
    packer = zlib.compressobj(9)
    bomb = (
        b"".join(packer.compress(b"\0" * 1024**2) for _ in range(PICKLE_BYTES // 1024**2 + 2))
        + packer.flush()
    )
    with pytest.raises(SourceError, match=f"unpacks to more than {PICKLE_BYTES:,} bytes"):
        load_plain_pickle(bomb, "dict.db")


def test_deep_pickle_is_refused():
    value = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    try:
        load_plain_pickle(value, "dict.db")
    except SourceError:
        return
    assert pickle.Unpickler(io.BytesIO(value)).load()


def test_tags_that_are_not_a_table_are_told(tmp_path):
    with pytest.raises(SourceError, match="the tags of me are not a table but list"):
        list(load_arxiv_sanity(lite(tmp_path / "dict.db", me=pickle.dumps([]))))
    _, _, skipped = split(
        load_arxiv_sanity(lite(tmp_path / "e.db", me=pickle.dumps({"t": 3, 4: set()})))
    )
    assert len(skipped) == 2
