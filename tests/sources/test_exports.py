"""Every link, folder, date and note of real exports, counted apart from the parsers. Needs STUDIOLO_SHARED."""

import json
import re

import pytest

from studiolo.sources.bookmarks import load_bookmarks
from studiolo.sources.github import load_stars
from studiolo.sources.reddit import load_reddit

from .reading import shared, split


HTML = {
    "netscape__linkding__simple_valid_import_file.html": (3, 0, 0),
    "netscape__shaarli__chromium_nested.htm": (18, 7, 0),
    "netscape__shaarli__delicious.htm": (5, 0, 0),
    "netscape__shaarli__firefox_nested.htm": (24, 6, 3),
    "netscape__shaarli__internet_explorer_11_nested.htm": (27, 9, 0),
    "netscape__shaarli__netscape_multiline.htm": (3, 0, 0),
    "netscape__shaarli__netscape_nested.htm": (8, 4, 0),
    "netscape__shaarli__safari_folded.htm": (3, 5, 0),
    "netscape__shaarli__shaarli.htm": (6, 0, 0),
    "netscape__shaarli__shaarli_with_whitespace_tags.htm": (1, 0, 0),
}


@pytest.mark.parametrize("name", HTML)
def test_every_link_folder_date_and_note_is_accounted_for(name):
    path = shared(f"exports/{name}")
    text = path.read_text(encoding="utf-8-sig")
    links, folders, skipped = HTML[name]
    assert links == len(re.findall(r"(?i)<a\s", text))
    assert folders == len(re.findall(r"(?i)<h3", text))
    found, kept_folders, passed = split(load_bookmarks(path))
    assert (len(found) + len(passed), len(kept_folders), len(passed)) == (links, folders, skipped)
    dated = len(re.findall(r"(?i)<a\s[^>]*add_date=\"\d+\"", text)) - skipped
    assert sum(item.saved_at is not None for item in found) == dated
    assert sum(folder.saved_at is not None for folder in kept_folders) == len(
        re.findall(r'(?i)<h3[^>]*add_date="\d+"', text)
    )
    tagged = len(re.findall(r'(?i)<a\s[^>]*tags="[^"]+"', text))
    assert sum(bool(item.tags) for item in found) == tagged
    noted = len(re.findall(r"(?i)<dd>(?=[^<\s])", text))
    assert sum(bool(thing.note) for thing in (*found, *kept_folders)) == noted


def test_every_star_is_kept_with_its_date_and_description():
    path = shared("exports/github_stars__dmarx_stars_public_2024-10-06.json")
    dump = json.loads(path.read_bytes())["repositories"]
    items, _, skipped = split(load_stars(path))
    assert (len(items), len(skipped)) == (len(dump), 0) == (1500, 0)
    for item in items:
        meta = dump[item.title]["metadata"]
        assert item.saved_at == meta["starred_at"]
        assert item.native == str(meta["id"])
        assert item.about == (meta["description"] or "").strip()


def test_papers_are_found_behind_two_of_five_stars():
    path = shared("exports/github_stars__dmarx_stars_public_2024-10-06.json")
    items, _, _ = split(load_stars(path))
    sure = [
        item for item in items if item.links and item.links[0].role not in {"mention", "several"}
    ]
    assert len(sure) >= 0.4 * len(items)
    assert all(len(item.links) == 1 for item in sure)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("reddit_gdpr_saved_posts__synthetic.csv", 2),
        ("reddit_gdpr_saved_comments__synthetic.csv", 1),
        ("reddit_saved_listing__praw_cassette_2016.json", 18),
    ],
)
def test_everything_saved_on_reddit_is_kept(name, count):
    items, _, skipped = split(load_reddit(shared(f"exports/{name}")))
    assert (len(items), skipped) == (count, [])
    assert len({item.native for item in items}) == count


def test_listing_keeps_every_date_and_text():
    path = shared("exports/reddit_saved_listing__praw_cassette_2016.json")
    things = [child["data"] for child in json.loads(path.read_bytes())["data"]["children"]]
    items, _, _ = split(load_reddit(path))
    assert all(item.saved_at for item in items)
    assert [item.about for item in items] == [
        (thing.get("selftext") or thing.get("body") or "").strip() for thing in things
    ]
