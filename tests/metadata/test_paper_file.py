import bz2
import gzip
import io
import json
import lzma
import random
import subprocess
import sys
import zipfile

import pytest

from studiolo.errors import SourceError
from studiolo.keys import Key
from studiolo.metadata import Facts, Pool, fill_from, load_papers


DUMP = {  # as arXiv writes it
    "id": "0704.0001",
    "submitter": "Pavel Nadolsky",
    "authors": "C. Bal\\'azs, E. L. Berger (Argonne), P. M. Nadolsky and C.-P. Yuan",
    "title": "Calculation of prompt diphoton production\n  cross sections",
    "comments": "37 pages",
    "journal-ref": "Phys.Rev.D76:013009,2007",
    "doi": "10.1103/PhysRevD.76.013009",
    "report-no": None,
    "categories": "hep-ph cs.LG",
    "license": None,
    "abstract": "  A fully differential\n calculation. ",
    "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}],
    "update_date": "2008-11-26",
    "authors_parsed": [["Balázs", "C.", ""], ["Berger", "E. L.", ""], ["Nadolsky", "P. M.", "Jr"]],
}


def read(tmp_path, data, name="papers.jsonl"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(load_papers(path))


def one(tmp_path, **record):
    (facts,) = read(tmp_path, json.dumps(record))
    return facts


def test_arxivs_dump_is_read(tmp_path):
    facts = one(tmp_path, **DUMP)
    assert facts.key == Key("arxiv", "0704.0001")
    assert facts.same == (Key("doi", "10.1103/physrevd.76.013009"),)
    assert facts.title == "Calculation of prompt diphoton production cross sections"
    assert facts.authors == ("C. Balázs", "E. L. Berger", "P. M. Nadolsky Jr")
    assert facts.categories == ("hep-ph", "cs.LG")
    assert (facts.published, facts.year) == ("2007-04-02", 2007)
    assert facts.abstract == "A fully differential calculation."


def test_authors_in_one_text_are_cut_at_commas_and_the_last_and(tmp_path):
    record = {name: value for name, value in DUMP.items() if name != "authors_parsed"}
    assert one(tmp_path, **record).authors == (
        "C. Bal\\'azs", "E. L. Berger", "P. M. Nadolsky", "C.-P. Yuan",
    )  # fmt: skip


def test_date_comes_from_the_id_where_the_dump_has_none(tmp_path):
    record = {name: DUMP[name] for name in ("id", "title", "update_date")}
    assert one(tmp_path, **record).published == "2007-04"
    assert one(tmp_path, **record | {"id": "math/9911001"}).published == "1999-11"


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"arxiv_id": "2105.03824v4"}, "arxiv:2105.03824"),
        ({"id": "arXiv:2105.03824"}, "arxiv:2105.03824"),
        ({"id": "http://arxiv.org/abs/2105.03824v1"}, "arxiv:2105.03824"),
        ({"DOI": "https://doi.org/10.1000/XYZ"}, "doi:10.1000/xyz"),
        ({"key": "openreview:lyoOWX0e0O"}, "openreview:lyoOWX0e0O"),
        ({"url": "https://openreview.net/forum?id=lyoOWX0e0O"}, "openreview:lyoOWX0e0O"),
        ({"externalIds": {"ArXiv": "2105.03824", "CorpusId": 7}}, "arxiv:2105.03824"),
        ({"id": "item-1", "number": "arXiv:2105.03824"}, "arxiv:2105.03824"),
        ({"id": 17, "link": "https://example.org/blog"}, "url:https://example.org/blog"),
    ],
)
def test_identity_is_guessed(tmp_path, record, key):
    assert str(one(tmp_path, title="T", **record).key) == key


def test_csl_json_is_read(tmp_path):
    item = {
        "id": "choromanski2020", "type": "article", "title": "Rethinking Attention", "DOI": "10.48550/arXiv.2009.14794",
        "author": [{"family": "Choromanski", "given": "Krzysztof"}, {"literal": "The Team"}],
        "issued": {"date-parts": [[2020, 9, 30]]}, "container-title": "ICLR",
    }  # fmt: skip
    (facts,) = read(tmp_path, json.dumps([item], indent=1), "zotero.json")
    assert facts.key == Key("arxiv", "2009.14794")
    assert facts.authors == ("Krzysztof Choromanski", "The Team")
    assert (facts.published, facts.venue) == ("2020-09-30", "ICLR")


@pytest.mark.parametrize("wrap", [list, lambda items: {"data": items}])
def test_document_of_one_long_line_is_read(tmp_path, wrap):
    items = [
        {"title": f"T{n}", "arxivId": f"2105.{n:05}", "abstract": "word " * 300} for n in range(800)
    ]
    text = json.dumps(wrap(items))
    assert len(text) > 1.1e6
    assert [facts.title for facts in read(tmp_path, text)] == [item["title"] for item in items]


def test_bibtex_is_read(tmp_path):
    text = """@article{a, title={{FNet}: Mixing}, author={Lee-Thorp, James and Joshua Ainslie}, year={2021},
      eprint={2105.03824}, archivePrefix={arXiv}, doi={10.1000/x}, abstract={Fourier.}}
    @misc{b, title={Nothing}}"""
    facts, skipped = read(tmp_path, text, "references.bib")
    assert (facts.key, facts.title) == (Key("arxiv", "2105.03824"), "FNet: Mixing")
    assert facts.authors == ("James Lee-Thorp", "Joshua Ainslie")
    assert (facts.published, facts.abstract, facts.same) == ("2021", "Fourier.", (Key("doi", "10.1000/x"),))  # fmt: skip
    assert "no eprint, doi, url or isbn" in skipped


def test_one_document_with_a_list_in_it_is_read(tmp_path):
    document = json.dumps({"total": 1, "data": [{"title": "T", "arxivId": "2105.03824"}]}, indent=2)
    assert [facts.title for facts in read(tmp_path, document)] == ["T"]


def packed(data, how):
    if how == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.md", "x")
            archive.writestr("arxiv-metadata-oai-snapshot.json", data)
        return file.getvalue()
    return {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "": bytes}[how](data)


@pytest.mark.parametrize("how", ["", "gz", "xz", "bz2", "zip"])
def test_packed_dumps_are_read_whatever_they_are_called(tmp_path, how):
    data = "\n".join(json.dumps(DUMP | {"id": f"0704.{n:04d}"}) for n in range(1, 100)).encode()
    found = read(tmp_path, packed(data, how), "dump")
    assert len(found) == 99
    assert all(isinstance(facts, Facts) for facts in found)


@pytest.mark.parametrize("how", ["gz", "xz", "bz2"])
def test_download_cut_short_keeps_what_was_read(tmp_path, how):
    rng = random.Random(0)
    rows = (json.dumps(DUMP | {"id": f"0704.{n:04d}", "abstract": str(rng.random()) * 20}) for n in range(1, 4000))  # fmt: skip
    path = tmp_path / "dump"
    whole = packed("\n".join(rows).encode(), how)
    path.write_bytes(whole[: len(whole) * 9 // 10])
    pool = Pool(tmp_path / "pools", "dump")
    with pytest.raises(SourceError, match=r"cannot be unpacked .*cut short"):
        fill_from(pool, load_papers(path))
    assert sum(1 for _ in pool.load_papers()) >= 1000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"   \n\n", "is empty"),
        (b"hello world", "neither JSON nor BibTeX"),
        (b"\x00\xff\x00", "neither JSON nor BibTeX"),
        (b"[1, 2", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b"{", "is not JSON"),
        (b"x" * 3_000_000, "neither JSON nor BibTeX"),
        (b"PK\x03\x04nothing", "cannot be unpacked"),
        (b"\x1f\x8bnothing", "cannot be unpacked"),
    ],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, data, message):
    with pytest.raises(SourceError, match=message):
        read(tmp_path, data)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(SourceError, match="There is no file"):
        list(load_papers(tmp_path / "nowhere.jsonl"))


def test_rows_that_are_no_papers_are_told_with_their_line(tmp_path):
    good = json.dumps(DUMP)
    text = "\n".join([good, "7", "{broken", "{}", '{"title": "T"}', '{"id": "2105.03824"}', "[" * 9999, "x" * 1_100_000, good])  # fmt: skip
    found = read(tmp_path, text)
    assert [one for one in found if isinstance(one, str)] == [
        "papers.jsonl:2: not a record but int",
        "papers.jsonl:3: not JSON",
        "papers.jsonl:4: no arXiv id, DOI or address",
        "papers.jsonl:5: no arXiv id, DOI or address: T",
        "papers.jsonl:6: no title",
        "papers.jsonl:7: not JSON",
        "papers.jsonl:8: a line longer than a million bytes",
    ]
    assert len(found) == 9


@pytest.mark.parametrize("value", [None, 7, True, [], {}, [[]], [{}], [None], "x" * 50_000, {"date-parts": [[]]}, [[None, 3]]])  # fmt: skip
def test_no_value_of_any_field_stops_a_file(tmp_path, value):
    for name in (*DUMP, "issued", "author", "externalIds", "key", "url", "number"):
        for facts in read(tmp_path, json.dumps(DUMP | {name: value})):
            assert isinstance(facts, str) or facts.to_record()


STREAM = """
import sys
from pathlib import Path
from studiolo.metadata import Pool, fill_from, load_papers
folder = Path(sys.argv[1])
counts = fill_from(Pool(folder / "pools", "dump"), load_papers(folder / "dump.jsonl.gz"), categories=["cs.LG"], since="2016-01-01")
print(counts.read, counts.new, counts.left_out, sum(1 for _ in Pool(folder / "pools", "dump").load_papers()))
# not ru_maxrss, which begins with what the process that forked this one held
print(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_dump_of_200_000_rows_streams(tmp_path):
    with gzip.open(tmp_path / "dump.jsonl.gz", "wb", 1) as file:
        for n in range(200_000):
            year, month = 15 + n // 100_000, 1 + n // 9999 % 12
            record = DUMP | {
                "id": f"{year}{month:02d}.{n % 99_999 + 1:05d}",
                "abstract": f"{n} " * 50,
                "categories": ("cs.LG stat.ML", "cs.LG", "hep-ph")[n % 3],
                "versions": [{"created": f"Mon, 2 Apr 20{year} 19:18:42 GMT"}],
            }
            file.write(json.dumps(record).encode() + b"\n")
    done = subprocess.run([sys.executable, "-c", STREAM, str(tmp_path)], capture_output=True, text=True, check=True)  # fmt: skip
    counts, peak_kb = done.stdout.splitlines()
    read_, new, left_out, kept = map(int, counts.split())
    assert (read_, new + left_out) == (200_000, 200_000)
    assert new == kept
    assert 60_000 < new < 70_000
    assert int(peak_kb) < 300_000
