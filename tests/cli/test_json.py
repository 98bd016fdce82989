"""The output of --json is an interface: docs/schemas says what is in it, and nothing else is."""

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from studiolo.claims import Interval, Verdict, Word
from studiolo.cli.progress import _tell_json
from studiolo.runs import (
    ClaimJudged,
    ClaimLeft,
    Finished,
    LeftOut,
    Stopping,
    WaitsForTiming,
    Warned,
    discover,
)
from tests.test_house import COMMANDS

from .commands import run
from .schemas import FOLDER, SCHEMAS, kept_by


LIST = """# Reading
<!-- TAGS: ml -->

## Transformers

* [FNet: Mixing Tokens with Fourier Transforms](https://arxiv.org/abs/2105.03824) #mixing
  * simple; see also [Performers](https://arxiv.org/abs/2009.14794)
  * Q: is the FFT worth it on short inputs?
  * [fourier](../topics/fourier.md)
* A talk without any address

## Empty
"""  # fmt: skip
BOOKMARKS = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<DT><A HREF="https://arxiv.org/abs/1706.03762" ADD_DATE="1616337559" TAGS="nlp,attention">Attention Is All You Need</A>
<DD>with a note
<DT><A HREF="https://example.org/page" ADD_DATE="1616337560">A page</A>
"""
REFERENCES = """@article{hartley, title = {Hartley transforms for mixing tokens}, author = {Hart, Ada and Ley, Bo},
  year = {2021}, eprint = {2106.00001}, archiveprefix = {arXiv}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, text in (
            ("lists/reading.md", LIST),
            ("topics/fourier.md", "# Fourier\n"),
            ("b.html", BOOKMARKS),
            ("references.bib", REFERENCES),
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        run("init")
        run("read", "FNet")
        run("collect", "bookmarks", "b.html")
        run("fetch-pool", "references.bib")
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("show", []),
        ("find", ["fourier"]),
        ("find", ["fouriier", "nothing"]),
        ("similar", ["FNet"]),
        ("suggest", []),
        ("suggest", ["--unread"]),
        ("inbox", ["--all"]),
        ("log", []),
        ("questions", ["--all"]),
        ("topics", []),
        ("topic", ["fourier"]),
        ("tags", []),
    ],
)
def test_output_is_what_its_schema_says(home, monkeypatch, name, words):
    monkeypatch.chdir(home)
    assert kept_by(name, run(name, *words, "--json"))


def test_findings_of_check_are_what_their_schema_says(home, monkeypatch, tmp_path):
    monkeypatch.chdir(home)
    broken = tmp_path / "broken.md"
    broken.write_text(LIST + "* [b](nowhere.md)\n* [x](https://\n")
    found = kept_by("check", run("check", broken, "--json", code=1))
    assert {one["level"] for one in found} == {"error", "warning"}


def test_report_is_what_its_schema_says(home, monkeypatch):
    monkeypatch.chdir(home)
    report = kept_by("report", run("report", "--format", "json"))
    assert list(report["papers"]) == ["fnet"]


def test_audit_is_what_its_schema_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("a", "b", "n"):
        np.save(f"{name}.npy", rng.integers(0, 3, (4, 200)))
        np.save(f"{name}1.npy", rng.random((200, 3)))
    np.save("labels.npy", rng.integers(0, 3, 200))
    Path("groups.csv").write_text("\n".join(["sex", *("fm"[i % 2] for i in range(200))]) + "\n")
    shown = ["--labels", "labels.npy", "--groups", "groups.csv", "--null", "n.npy", "--json"]
    assert kept_by("audit", run("audit", "a.npy", "b.npy", *shown))["groups"]["sex"]
    assert kept_by("audit", run("audit", "a.npy", "b.npy", "--json"))["accuracy"] is None
    assert kept_by("audit", run("audit", "a1.npy", "b1.npy", "--json"))["divergence"]


def test_rarer_events_are_what_their_schema_says(capsys):
    paper = next(paper for paper in discover() if paper.slug == "fnet")
    verdict = Verdict(Word.HOLDS, interval=Interval(math.inf, 1.0, math.inf), n=5, of=5)
    for event in (
        ClaimJudged(paper, paper.claims[0], verdict),
        ClaimJudged(paper, paper.claims[0], dataclasses.replace(verdict, interval=None)),
        ClaimLeft(LeftOut(paper, "x", "the budget was spent")),
        Warned("A sentence."),
        WaitsForTiming(),
        Stopping(2),
        Finished(3, stopped=True),
    ):
        _tell_json(event)
    events = [kept_by("run", line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["verdict"]["interval"] == {"estimate": "inf", "low": 1.0, "high": "inf"}
    assert len(events) == 7


def test_every_command_with_json_has_a_schema_that_the_page_shows():
    speaking = {name for name, c in COMMANDS.items() if any("--json" in p.opts for p in c.params)}
    assert speaking - set(SCHEMAS) == set(), "say in docs/schemas/COMMAND.json what it prints"
    assert set(SCHEMAS) - speaking == {"report"}
    page = (FOLDER.parent / "json.md").read_text()
    assert set(re.findall(r"\(schemas/([a-z-]+)\.json\)", page)) == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_one_and_closed(name):
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["description"]
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate({"unheard": "of"})
    text = json.dumps(schema)
    assert text.count('"properties"') == text.count('"additionalProperties": false')
