import json
import struct
import zipfile
from types import SimpleNamespace

import pytest

from studiolo.errors import SourceError, UsageError
from studiolo.sources.reddit import CSV_BYTES, fetch_with_praw, load_reddit

from .reading import split


POST = "https://www.reddit.com/r/MachineLearning/comments/nqg2bz/r_fnet_mixing_tokens/"
CSV = f"id,permalink\nnqg2bz,{POST}\n"


def load(path):
    return split(load_reddit(path))


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name.replace("__", "/") + ".csv", data)
    return path


def test_csv_gives_address_community_and_the_title_in_the_link(tmp_path):
    (tmp_path / "saved_posts.csv").write_text(CSV)
    items, _, skipped = load(tmp_path / "saved_posts.csv")
    assert [(item.native, item.title, item.folder) for item in items] == [
        ("t3_nqg2bz", "[R] fnet mixing tokens", ("r/MachineLearning",))
    ]
    assert skipped == []


def test_archive_gives_posts_and_comments_also_from_a_folder_inside(tmp_path):
    path = archive(
        tmp_path / "x.zip",
        data__saved_posts=CSV,
        data__saved_comments=f"id,permalink\nh0a1b2c,{POST}h0a1b2c/\n",
        data__messages="x",
    )
    items, _, _ = load(path)
    assert sorted(item.native for item in items) == ["t1_h0a1b2c", "t3_nqg2bz"]
    comment = next(item for item in items if item.native.startswith("t1"))
    assert comment.links[0] == comment.links[0].__class__(
        "post", "https://www.reddit.com/comments/nqg2bz"
    )


def test_bad_rows_are_skipped_with_their_line(tmp_path):
    (tmp_path / "p.csv").write_text(
        f'id,permalink\nx,https://example.org/\n"{"a" * 70_000}"\n!!,{POST}\n\nabc,{POST}\n'
    )
    items, _, skipped = load(tmp_path / "p.csv")
    assert [item.native for item in items] == ["t3_abc"]
    assert [one.place for one in skipped] == ["p.csv:2", "p.csv:3", "p.csv:4"]
    assert "longer than 65,536 bytes" in skipped[1].why


def test_csv_of_something_else_is_refused(tmp_path):
    (tmp_path / "p.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match=r"p\.csv:1: the first line has no column `permalink`"):
        load(tmp_path / "p.csv")


def test_archive_without_saved_things_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"holds neither saved_posts\.csv nor"):
        load(archive(tmp_path / "x.zip", other="a"))


def test_archive_that_says_it_is_huge_is_refused(tmp_path):
    with pytest.raises(SourceError, match="says that it unpacks to"):
        load(archive(tmp_path / "x.zip", saved_posts=b"\0" * (CSV_BYTES + 1)))


def test_archive_that_lies_about_its_size_is_stopped(tmp_path):
    rows = (f"abc,{POST}\n" * 1000).encode()
    path = archive(
        tmp_path / "x.zip", saved_posts=b"id,permalink\n" + rows * (CSV_BYTES // len(rows) + 2)
    )
    data = path.read_bytes()
    size = struct.pack("<I", zipfile.ZipFile(path).infolist()[0].file_size)
    path.write_bytes(data.replace(size, struct.pack("<I", 1000)))
    with pytest.raises(SourceError, match=r"unpacks to more than|cannot be unpacked"):
        load(path)


def test_member_names_that_climb_write_nothing(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("../../../../tmp/studiolo-evil/saved_posts.csv", CSV)
    items, _, _ = load(path)
    assert len(items) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x.zip"]


@pytest.mark.parametrize("cut", [10, 40, 100])
def test_archive_cut_short_is_told(tmp_path, cut):
    path = archive(tmp_path / "x.zip", saved_posts=CSV * 50)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(SourceError, match="cannot be unpacked"):
        load(path)


LISTING = {
    "kind": "Listing",
    "data": {
        "children": [
            {
                "kind": "t3",
                "data": {
                    "id": "abc",
                    "title": "FNet",
                    "url": "https://arxiv.org/abs/2105.03824",
                    "permalink": "/r/ML/comments/abc/fnet/",
                    "is_self": False,
                    "subreddit": "ML",
                    "created_utc": 1616337559.0,
                    "author": "me",
                },
            },
            {
                "kind": "t3",
                "data": {
                    "id": "def",
                    "title": "Self",
                    "selftext": "see https://arxiv.org/abs/1912.07242",
                    "url": "https://www.reddit.com/r/ML/comments/def/self/",
                    "permalink": "/r/ML/comments/def/self/",
                    "is_self": True,
                },
            },
            {
                "kind": "t1",
                "data": {
                    "id": "ghi",
                    "link_id": "t3_abc",
                    "link_title": "FNet",
                    "link_url": "https://arxiv.org/abs/2105.03824",
                    "body": "great",
                },
            },
            {"kind": "more", "data": {}},
            3,
        ]
    },
}


def test_listing_keeps_target_text_and_date(tmp_path):
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(LISTING))
    items, _, skipped = load(path)
    post, own, comment = items
    assert [(link.role, link.url) for link in post.links] == [
        ("target", "https://arxiv.org/abs/2105.03824")
    ]
    assert (post.saved_at, post.folder) == ("2021-03-21T14:39:19Z", ("r/ML",))
    assert (own.links, own.about) == ((), "see https://arxiv.org/abs/1912.07242")
    assert (comment.title, comment.about, comment.url) == (
        "Comment on: FNet",
        "great",
        "https://www.reddit.com/comments/abc/_/ghi",
    )
    assert {link.role for link in comment.links} == {"target", "post"}
    assert len(skipped) == 2


def test_other_json_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(SourceError, match="not a listing of Reddit"):
        load(tmp_path / "x.json")


def test_praw_gives_what_a_listing_gives():
    post = SimpleNamespace(
        id="abc",
        title="FNet",
        permalink="/r/ML/comments/abc/fnet/",
        url="https://arxiv.org/abs/2105.03824",
        is_self=False,
        selftext="",
        subreddit=SimpleNamespace(__str__=lambda: "ML"),
        created_utc=1616337559.0,
        author=None,
    )
    user = SimpleNamespace(me=lambda: SimpleNamespace(saved=lambda limit: [post]))
    praw = SimpleNamespace(Reddit=lambda section: SimpleNamespace(user=user))
    (item,) = fetch_with_praw("me", praw)
    assert (item.native, item.saved_at, item.links[0].url) == (
        "t3_abc",
        "2021-03-21T14:39:19Z",
        "https://arxiv.org/abs/2105.03824",
    )


def test_missing_praw_is_told():
    with pytest.raises(UsageError, match="praw is not installed"):
        list(fetch_with_praw("me"))


def test_entities_of_a_listing_without_raw_json_are_letters(tmp_path):
    post = {"id": "aaaa01", "title": "[R] Ships &amp; shoes, p &lt; 0.05", "permalink": "/r/MachineLearning/comments/aaaa01/x/", "url": "https://x.org/a?b=1&amp;c=2", "is_self": False, "selftext": "a &gt; b", "subreddit": "MachineLearning"}  # fmt: skip
    path = tmp_path / "saved.json"
    path.write_text(
        json.dumps({"kind": "Listing", "data": {"children": [{"kind": "t3", "data": post}]}})
    )
    ((item,), _, _) = split(load_reddit(path))
    assert (item.title, item.about) == ("[R] Ships & shoes, p < 0.05", "a > b")
    assert [link.url for link in item.links] == ["https://x.org/a?b=1&c=2"]


def test_letters_of_a_slug_are_decoded(tmp_path):
    path = tmp_path / "saved_posts.csv"
    path.write_text(
        "id,permalink\nabc,https://www.reddit.com/r/de/comments/abc/%C3%BCber_m%C3%B6bel/\n"
    )
    ((item,), _, _) = split(load_reddit(path))
    assert item.title == "Über möbel"
