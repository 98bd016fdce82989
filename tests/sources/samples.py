"""One good export per parser: what the fuzzer spoils."""

import json
import pickle
import plistlib
import zlib
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import lz4.block

from studiolo.errors import StudioloError
from studiolo.metadata.arxiv import parse_feed
from studiolo.sources.arxiv_sanity import load_plain_pickle
from studiolo.sources.bibtex import parse_bibtex
from studiolo.sources.bookmarks import load_bookmarks
from studiolo.sources.firefox import LZ4_MAGIC
from studiolo.sources.github import load_stars
from studiolo.sources.netscape import parse_netscape
from studiolo.sources.notes import load_notes
from studiolo.sources.pdfs import load_pdfs
from studiolo.sources.reddit import load_reddit
from studiolo.sources.safari import parse_safari
from studiolo.sources.table import parse_tables
from studiolo.sources.urls import parse_stream
from studiolo.sources.zotero import load_zotero
from tests.metadata.feeds import entry, feed

from .test_browsers import CHROME, FIREFOX, make_places
from .test_github import star
from .test_notes import NOTE
from .test_pdfs import pdf_saying
from .test_reddit import CSV, LISTING
from .test_services import WALLABAG
from .test_table import TABLE
from .test_urls import BIB
from .test_zotero import CSL, CSV as ZOTERO_CSV, RIS


HTML = b"""<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<DL><p><DT><H3 ADD_DATE="1456433722">ML</H3><DD>about<DL><p>
<DT><A HREF="https://arxiv.org/abs/2105.03824?a=1&b=2" ADD_DATE="1616337559000" TAGS="a,b">FNet &amp; x</A><DD>note
line <HR><!-- c --><DT><A HREF='place:x'>p</A></DL><p></DL><p>"""


def zipped():
    data = BytesIO()
    with ZipFile(data, "w", ZIP_DEFLATED) as archive:
        archive.writestr("saved_posts.csv", CSV * 3)
    return data.getvalue()


def omnivore():
    data = BytesIO()
    with ZipFile(data, "w", ZIP_DEFLATED) as archive:
        archive.writestr("metadata_0_to_20.json", json.dumps([{"slug": "a", "url": "https://x.org/a", "labels": ["b"], "savedAt": "2024-01-02T03:04:05Z", "state": "Active"}]))  # fmt: skip
    return data.getvalue()


VAULT_NOTE = (
    NOTE
    + "\n- TODO [a](https://x.org/a) ✅ 2024-01-02\n  tags:: b\n\n| arXiv |\n|---|\n| 1812.00001 |\n\nsee https://x.org/b\n"
)


def places():
    with TemporaryDirectory() as folder:
        make_places(Path(folder) / "p").close()
        return (Path(folder) / "p").read_bytes()


def by_file(load):
    """Return a reader of bytes from one of files."""

    def read(data):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(data)
            return list(load(path))

    return read


SAMPLES = {
    "netscape": (HTML, lambda data: list(parse_netscape(BytesIO(data), "f"))),
    "chrome": (json.dumps(CHROME).encode(), by_file(load_bookmarks)),
    "firefox-json": (json.dumps(FIREFOX).encode(), by_file(load_bookmarks)),
    "firefox-lz4": (
        LZ4_MAGIC + lz4.block.compress(json.dumps(FIREFOX).encode()),
        by_file(load_bookmarks),
    ),
    "firefox-places": (places(), by_file(load_bookmarks)),
    "safari-binary": (
        plistlib.dumps(
            {
                "Children": [
                    {
                        "Title": "f",
                        "Children": [
                            {
                                "WebBookmarkType": "WebBookmarkTypeLeaf",
                                "URLString": "https://x.org/",
                                "URIDictionary": {"title": "X"},
                            }
                        ],
                    }
                ]
            },
            fmt=plistlib.FMT_BINARY,
        ),
        lambda data: list(parse_safari(data, "f")),
    ),
    "safari-xml": (
        plistlib.dumps(
            {
                "Children": [
                    {"WebBookmarkType": "WebBookmarkTypeLeaf", "URLString": "https://x.org/"}
                ]
            }
        ),
        lambda data: list(parse_safari(data, "f")),
    ),
    "pinboard": (
        b'[{"href": "https://x.org/", "description": "T", "time": "2021-05-25T10:00:00Z", "tags": "a b"}]',
        by_file(load_bookmarks),
    ),
    "columns": (
        b'title,url,note,tags,created\nFNet,https://arxiv.org/abs/2105.03824,"a\nb",x;y,1616337559\n',
        by_file(load_bookmarks),
    ),
    "github": (
        json.dumps([star(1, "o/a", description="see https://arxiv.org/abs/2105.03824")]).encode(),
        by_file(load_stars),
    ),
    "reddit-csv": (CSV.encode() * 3, by_file(load_reddit)),
    "reddit-zip": (zipped(), by_file(load_reddit)),
    "reddit-json": (json.dumps(LISTING).encode(), by_file(load_reddit)),
    "table": (TABLE.encode(), lambda data: list(parse_tables(data, "f"))),
    "pickle": (
        pickle.dumps({"t": {"2105.03824"}, "u": set()}, 2),
        lambda data: load_plain_pickle(data, "f"),
    ),
    "pickle-zlib": (
        zlib.compress(pickle.dumps({"t": {"2105.03824"}}, 4)),
        lambda data: load_plain_pickle(data, "f"),
    ),
    "text": (
        b"see https://arxiv.org/abs/2105.03824, 1912.07242v1\n[a](https://x.org) | b\ndoi:10.1000/x\n",
        lambda data: list(parse_stream(BytesIO(data))),
    ),
    "bibtex": (BIB.encode(), lambda data: list(parse_bibtex(data, "f"))),
    "services": (
        json.dumps([WALLABAG, {"link": "https://x.org/a", "tags": {"a": {}}}]).encode(),
        by_file(load_bookmarks),
    ),
    "omnivore": (omnivore(), by_file(load_bookmarks)),
    "ris": (RIS.encode(), by_file(load_zotero)),
    "csl": (json.dumps([CSL]).encode(), by_file(load_zotero)),
    "zotero-csv": (ZOTERO_CSV.encode(), by_file(load_zotero)),
    "notes": (VAULT_NOTE.encode(), by_file(load_notes)),
    "pdf": (pdf_saying("arXiv:1812.00001 [cs.LG]"), by_file(load_pdfs)),
    "atom": (feed(entry(), entry("math/0211159", 1)), parse_feed),
}
ALLOWED = StudioloError
