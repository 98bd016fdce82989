"""The documentation site, its pictures, and what a repository says of itself."""

import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from studiolo import __version__
from studiolo.claims import load_paper
from studiolo.cli.console import clean
from studiolo.runs import paper_folders


ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CHROMIUM = shutil.which("chromium")


def script(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build, pictures = script("build"), script("pictures")


def site(folder, **pages):
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text)
    return list(build.broken(folder))


def test_link_that_leads_nowhere_is_found(tmp_path):
    assert site(tmp_path, a='<a href="b.html">b</a>') == [
        "a.html links to b.html, which is not there"
    ]
    assert site(tmp_path, b="<p id='x'>") == []


def test_link_to_a_name_that_nothing_has_is_found(tmp_path):
    wrong = site(
        tmp_path, a='<a href="#here">x</a><a href="b.html#x">x</a>', b="<h2 id='y'>", c="<p>"
    )
    assert wrong == [
        "a.html links to #here, where nothing has this name",
        "a.html links to b.html#x, where nothing has this name",
    ]


def test_whatever_is_loaded_from_elsewhere_is_found(tmp_path):
    far = '<img src="https://example.org/x.png"><link rel="stylesheet" href="//cdn.example/x.css">'
    assert site(tmp_path, a=far + '<a href="https://example.org">fine</a>') == [
        "a.html loads https://example.org/x.png",
        "a.html loads //cdn.example/x.css",
    ]


def test_every_page_is_in_the_navigation():
    text = (DOCS / "zensical.toml").read_text()
    named = set(re.findall(r'"([\w/-]+\.md)"', text))
    pages = {path.name for path in DOCS.glob("*.md")}
    assert pages == {n for n in named if "/" not in n}, "say in docs/zensical.toml where it belongs"
    assert {n for n in named if "/" in n} == {"papers/index.md", "api/index.md"}
    assert tomllib.loads(text)["project"]["theme"]["font"] is False


def test_every_room_is_in_the_api():
    rooms = {path.parent.name for path in build.PACKAGE.glob("*/__init__.py")}
    shown = {name for names in build.WINGS.values() for name in names}
    assert rooms - shown == {"cli", "example", "papers"}  # commands; a folder; a page each


@pytest.mark.slow
def test_site_builds_strictly_shows_its_sources_and_fits_a_desk_and_a_phone():
    """Building ends at a warning or a broken link. One test, since there is one folder to build in."""
    build.build()
    for folder in paper_folders():
        page = (build.SITE / "papers" / f"{folder.name}.html").read_text()
        assert page.count("<td>") > len(load_paper(folder).claims)
    keys = (build.SITE / "api" / "studiolo.keys.html").read_text()
    assert all(f'id="studiolo.keys.{name}"' in keys for name in ("address.find_key", "key.Key"))
    assert json.loads((build.SITE / "schemas" / "show.json").read_text())["description"]
    if CHROMIUM is None:
        pytest.skip("the rest needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in (1280, 390):
            page = browser.new_page(viewport={"width": width, "height": 900})
            asked = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            for name in ("index", "verdicts", "papers/index", "papers/fnet", "api/studiolo.keys"):
                page.goto((build.SITE / f"{name}.html").as_uri())
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, (name, width)
                assert page.locator("h1").count() == 1, name
            assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        browser.close()


def test_picture_of_the_list_is_what_commands_print_today():
    assert (DOCS / "list.svg").read_text() == pictures.list_picture(), "run docs/pictures.py"


def test_picture_of_the_papers_shows_claims_that_there_are():
    lines = re.findall(r">([^<]*)</text>", (DOCS / "run.svg").read_text())
    says = " ".join(lines).replace("&lt;", "<")
    shown = [
        claim.says
        for folder in paper_folders()
        for claim in load_paper(folder).claims
        if " ".join(clean(claim.says).split()) in says
    ]
    assert len(shown) >= 3
    assert f"$ studiolo {pictures.RUN[0]}" in lines


def test_line_that_is_too_long_for_the_picture_ends_in_an_ellipsis():
    drawn = pictures.terminal(["x" * 200, "  <a>  &"], "A title")
    assert f">{'x' * (pictures.COLUMNS - 1)}…</text>" in drawn
    assert ">&lt;a&gt;\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}&amp;</text>" in drawn


def test_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == citation["version"] == __version__
    assert citation["license"] == project["license"]


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.name)  # fmt: skip
def test_issue_form_is_one_that_github_takes(path):
    form = yaml.safe_load(path.read_text())
    if path.name == "config.yml":
        return
    assert {"name", "description", "body"} <= set(form)
    ids = [part["id"] for part in form["body"]]
    assert len(ids) == len(set(ids))
    for part in form["body"]:
        assert part["type"] in ("textarea", "input", "dropdown", "checkboxes")
        assert part["attributes"]["label"]
        assert ("options" in part["attributes"]) == (part["type"] in ("dropdown", "checkboxes"))
