"""The flows as a browser shows them. Skipped, with a reason, where there is no Chromium."""

import contextlib
import shutil
import sys
import textwrap
import threading
import time
from urllib.parse import urljoin

import httpx2
import pytest
import uvicorn

from studiolo.library import Inbox, Library
from studiolo.runs import discover
from studiolo.sources import SavedItem
from studiolo.web import measuring, shelf
from studiolo.web.app import app_of
from studiolo.web.room import room_for
from tests.browsing import IN_CHROMIUM, asked_elsewhere, is_too_wide, violations
from tests.report.synthetic import make_paper, make_records

from .conftest import EXAMPLE
from .readers import Server, make_library
from .test_paper import FAKE


pytestmark = IN_CHROMIUM
LIST = "/list/lists/recent-ml-research.md"
CLOSED = "dialog:not([open])"
PAPER = "/paper/arxiv:2001.00001"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The bundled library with two papers in its inbox, served in a thread; paper folders are not looked for."""
    folder = tmp_path_factory.mktemp("library")
    for part in ("lists", "topics"):
        shutil.copytree(EXAMPLE / part, folder / part)
    home = Library(folder)
    home.prepare()
    Inbox(home).collect(
        [
            SavedItem("bookmarks", "https://arxiv.org/abs/1706.03762", "Attention Is All You Need", tags=("transformers",)),
            SavedItem("bookmarks", "https://arxiv.org/abs/2010.03933", "Causal nets", folder=("Causal Inference",)),
        ]
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "discover", discover_own)
        with serving(folder) as address:
            yield address, folder / "lists" / "recent-ml-research.md"


def discover_own(folder, **settings):
    """Look for paper folders only where a library has some of its own."""
    return discover(folder, **settings) if (folder / "papers").is_dir() else []


@contextlib.contextmanager
def serving(folder):
    """Serve a library in a thread."""
    server = uvicorn.Server(uvicorn.Config(app_of(room_for(folder)), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A library with a paper that was measured, served; and its folder."""
    library = tmp_path_factory.mktemp("measured")
    (library / ".studiolo").mkdir()
    paper = make_paper(library, figures=["lines", "points", "heatmap", "gallery"])
    make_records(library, paper, points=40)
    (library / "list.md").write_text(
        "# L\n\n* [A made-up paper](https://arxiv.org/abs/2001.00001)\n"
    )
    with serving(library) as address:
        httpx2.get(
            address + PAPER
        )  # which notes that its verdicts were seen: later pages stay as they are
        yield address, paper


@pytest.fixture
def open_page(open_page, site):
    """Open an address of the library, or a whole address."""
    return lambda path, **settings: open_page(urljoin(site[0], path), **settings)


def is_quiet(page, site):
    """Whether a page said nothing, and asked nobody but the server."""
    return not page.said and not asked_elsewhere(page, site[0])


PATHS = [LIST, "/paper/arxiv:2105.03824", "/lookup?key=arxiv:2105.03824", "/change/same?key=arxiv:2105.03824&other=arxiv:1706.03762", "/inbox", "/find?q=attention", "/suggest", "/collect", "/change/add?key=arxiv:1706.03762", "/list/topics/gradient-double-descent.md"]  # fmt: skip


def test_long_names_and_addresses_fit_a_phone(open_page, site, tmp_path):
    name = "a_list_of_implementations_of_papers_of_deep_learning__README.md"
    badge = "[![](https://img.shields.io/badge/106-experimental-4b9e32)](./tags/experimental_and_more.md)"
    (tmp_path / name).write_text(
        f"# Ideas\n\n|Idea|Tags|\n|---|---|\n|[Kernels of attention]({'deep_' * 12}kernels.md)|{badge}|\n\n"
        "* [Attention](https://citeseerx.example.org/viewdoc/download?doi=10.1.1.62.1152&rep=rep1&type=pdf)\n"
    )
    (tmp_path / ".studiolo").mkdir()
    with serving(tmp_path) as url:
        page = open_page(url, viewport={"width": 390, "height": 800})
        for path in (f"/list/{name}", "/find?q=attention"):
            page.goto(url + path)
            assert "ttention" in page.inner_text("main")
            assert "shields" not in page.inner_text("main")
            assert not is_too_wide(page), path
        page.goto(f"{url}/list/{name}")
        tag = page.locator("a.tag").bounding_box()
        assert tag["height"] < 30  # a tag is not parted


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_pages_are_quiet_fit_and_axe_finds_no_serious_violation(open_page, site, scheme):
    page = open_page(LIST, color_scheme=scheme, bypass_csp=True)  # axe itself is injected
    for path in PATHS:
        page.goto(site[0] + path)
        assert violations(page) == [], path


def test_nothing_is_wider_than_the_page_or_said_on_the_console(open_page, site):
    page = open_page(LIST)
    for path in PATHS:
        page.goto(site[0] + path)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert not is_too_wide(page), (path, width)
    assert is_quiet(page, site)


def test_note_by_keyboard_is_shown_written_and_undone(open_page, site):
    page, path = open_page(LIST), site[1]
    before = path.read_bytes()
    for key in "jjn":
        page.keyboard.press(key)
    page.wait_for_selector("dialog[open] textarea")
    page.keyboard.type("seen in <Chromium>")
    page.click("dialog button")
    page.wait_for_selector("dialog .diff ins")
    assert path.read_bytes() == before
    page.keyboard.press("Enter")
    page.wait_for_selector(".done")
    assert b"seen in " in path.read_bytes()
    assert page.evaluate("document.querySelector('.line.at .entry').textContent.includes('NADE')")
    page.keyboard.press("u")
    page.wait_for_selector("dialog .diff del")
    page.keyboard.press("Enter")
    page.wait_for_selector(CLOSED, state="attached")
    page.wait_for_selector(".done", state="detached")
    assert path.read_bytes() == before
    assert is_quiet(page, site)


def test_triage_by_keyboard(open_page, site):
    page, path = open_page("/inbox"), site[1]
    before = path.read_bytes()
    page.keyboard.press("j")
    for key, field in (("n", "note"), ("t", "tags"), ("m", "section")):
        page.keyboard.press(key)
        page.wait_for_selector("dialog[open] .reason")
        assert page.evaluate("document.activeElement.name") == field
        page.keyboard.press("Escape")
        page.wait_for_selector(CLOSED, state="attached")
    page.keyboard.press("a")
    page.wait_for_selector("dialog .reason")
    page.keyboard.press("Enter")
    page.wait_for_selector(".done")
    assert page.locator(".thing").count() == 1
    assert path.read_bytes() != before
    page.keyboard.press("x")
    page.wait_for_selector("dialog[open] >> text=Pass over")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.wait_for_selector("dialog[open] >> text=Take back")
    page.keyboard.press("Enter")
    page.wait_for_selector(".thing >> nth=1")
    assert page.evaluate("document.activeElement === document.querySelector('.at .entry a')")
    assert path.read_bytes() == before
    assert is_quiet(page, site)


def test_search_answers_while_one_types(open_page):
    page = open_page(LIST)
    page.keyboard.press("/")
    page.keyboard.type("fourier tok", delay=20)
    page.wait_for_url("**/find?q=fourier+tok")
    page.wait_for_selector(".hit >> text=FNet")
    assert page.url.endswith("/find?q=fourier+tok")
    assert page.evaluate("document.activeElement.matches('.search input')")


def test_open_page_follows_an_editor_within_a_second(open_page, site):
    page, path = open_page(LIST), site[1]
    before = path.read_bytes()
    page.keyboard.press("j")
    try:
        path.write_bytes(before.replace(b"## Causal Inference", b"* [Written by hand](https://arxiv.org/abs/2101.00009)\n\n## Causal Inference"))  # fmt: skip
        start = time.monotonic()
        page.wait_for_selector("text=Written by hand", timeout=5_000)
        took_s = time.monotonic() - start
        assert page.locator(".line.at").count() == 1
    finally:
        path.write_bytes(before)
    assert took_s < 2.5  # a second, and what a busy machine adds


def test_line_one_is_at_stays_though_an_editor_empties_the_file_before_it_writes(open_page, site):
    page, path = open_page(LIST), site[1]
    before = path.read_bytes()
    for _ in range(3):
        page.keyboard.press("j")
    at = page.locator(".line.at").inner_text()
    try:
        path.write_bytes(b"")
        page.locator(".line").first.wait_for(state="detached", timeout=10_000)
    finally:
        path.write_bytes(before)
    page.wait_for_selector(".line.at", timeout=10_000)
    assert page.locator(".line.at").inner_text() == at


@pytest.mark.soak
def test_edit_among_five_thousand_entries_is_shown_within_a_second(open_page, tmp_path):
    """Twenty edits by hand, from the end of the write to the text in the page, on the wall clock of a machine at rest."""
    path = make_library(tmp_path, pool=100) / "list.md"
    server = Server(tmp_path)
    took_s, spent_s = [], []
    try:
        page = open_page(f"{server.address}/list/list.md")
        for n in range(20):
            time.sleep(4)  # the inbox is counted 2 s after an edit
            line = f"* [By hand {n}.](https://arxiv.org/abs/2301.{n:05})\n"
            text = path.read_text().replace("## Section 0\n\n", f"## Section 0\n\n{line}", 1)
            before = server.cpu_s()
            path.write_text(text)
            start = time.monotonic()
            page.wait_for_selector(f"text=By hand {n}.")
            took_s.append(time.monotonic() - start)
            spent_s.append(server.cpu_s() - before)
    finally:
        server.end()
    took_s.sort()
    print(
        f"p50 {took_s[10]:.2f} s, p95 {took_s[18]:.2f} s; the server {sorted(spent_s)[10]:.2f} CPU-s"
    )
    assert took_s[18] < 1.0


def test_page_works_without_javascript(open_page, site):
    page, path = open_page(LIST, java_script_enabled=False), site[1]
    before = path.read_bytes()
    page.click(".line >> nth=1 >> .edit")
    page.click("text=Note")
    page.fill("textarea", "without a script")
    page.click("text=Show the change")
    page.click("text=Write it")
    assert "Done: note on" in page.inner_text(".done")
    assert b"without a script" in path.read_bytes()
    page.click(".done a")
    page.click("text=Take it back")
    assert path.read_bytes() == before


def test_everything_can_be_reached_by_keyboard_and_is_seen(open_page):
    page = open_page(LIST)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the page"
    for _ in range(25):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


def test_page_prints_the_list_alone(open_page):
    page = open_page(LIST)
    assert len(page.pdf(format="A4")) > 10_000
    page.emulate_media(media="print")
    assert not page.is_visible(".side")
    assert page.is_visible("text=FNet")


def test_dropped_file_waits_in_the_inbox(open_page, site):
    page = open_page(LIST)
    data = page.evaluate_handle(
        """() => { const data = new DataTransfer();
        data.items.add(new File(["https://arxiv.org/abs/1312.6114\\n"], "links.txt")); return data; }"""
    )
    page.dispatch_event("main", "drop", {"dataTransfer": data})
    page.wait_for_selector("text=links.txt")
    assert "new 1" in page.inner_text(".done")
    assert is_quiet(page, site)


def test_reduced_motion_moves_nothing(open_page):
    page = open_page(LIST, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.edit')).transitionDuration")
        == "0s"
    )


def test_figures_of_a_paper_are_live_under_a_policy_that_allows_nothing_inline(open_page, measured):
    page = open_page(measured[0] + PAPER)
    for kind in ("lines", "points"):
        page.wait_for_function(  # the page may be put in its own place meanwhile, as its files were just written
            """kind => {
                document.querySelectorAll("details").forEach((one) => { one.open = true; });
                const plot = document.querySelector(`.plot.${kind}`);
                plot?.scrollIntoView();
                return plot?.querySelector(".live svg");
            }""",
            arg=kind,
        )
    before = page.inner_text(".plot.lines .live")
    page.locator("button.scale-switch").first.click()
    page.wait_for_function(
        "old => document.querySelector('.plot.lines .live')?.textContent !== old", arg=before
    )
    page.hover(".plot.points .live path[aria-roledescription], .plot.points .live svg")
    assert page.said == []
    assert asked_elsewhere(page, measured[0]) == []
    policy = page.request.get(measured[0] + PAPER).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert not is_too_wide(page)


def test_measuring_is_followed_by_every_tab_survives_a_reload_and_stops(
    open_page, measured, monkeypatch
):
    address = measured[0]
    command = [sys.executable, "-c", textwrap.dedent(FAKE), "60"]
    monkeypatch.setattr(measuring.Measuring, "command", lambda *_: command)
    page, other = open_page(address + PAPER), open_page(address + PAPER)
    page.click("text=Measure this now")
    assert "came with the library" in page.inner_text(".warning")
    page.check("input[name=agreed]")
    page.click("button.first")
    page.wait_for_selector(".job .now:has-text('3 seeds')")
    page.reload()
    page.wait_for_selector(".job .now:has-text('3 seeds')")
    other.reload()
    other.wait_for_selector(".job .now:has-text('3 seeds')")
    page.click(".job button")
    for one in (page, other):
        one.wait_for_selector("text=It was stopped")
        one.wait_for_selector("text=Measure this now")  # when the process that said so has ended
        assert one.said == []


def test_several_tabs_agree(open_page, site):
    page, other, path = open_page(LIST), open_page(LIST), site[1]
    before = path.read_bytes()
    page.keyboard.press("j")
    page.keyboard.press("r")
    page.wait_for_selector("dialog .confirm button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".line[data-state=read]")
    other.wait_for_selector(".line[data-state=read]")
    other.keyboard.press("u")
    other.wait_for_selector("dialog .confirm button")
    other.keyboard.press("Enter")
    page.wait_for_selector(".line[data-state=read]", state="detached")
    assert path.read_bytes() == before


def test_two_are_ticked_by_key_and_decided_at_once(open_page, site):
    page, path = open_page("/inbox"), site[1]
    before, waiting = path.read_bytes(), page.locator(".thing").count()
    for key in "jsjs":
        page.keyboard.press(key)
    assert page.locator(".thing input:checked").count() == 2
    page.click("text=Put the selected on the list")
    page.wait_for_selector("dialog .told tr >> nth=2")
    page.keyboard.press("Enter")
    page.wait_for_selector(".done")
    assert page.locator(".thing").count() == waiting - 2
    assert path.read_bytes().count(b"https://arxiv.org") == before.count(b"https://arxiv.org") + 2
    page.keyboard.press("u")
    page.wait_for_selector("dialog .confirm button")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".thing >> nth={waiting - 1}")
    assert path.read_bytes() == before
    assert is_quiet(page, site)


def test_every_key_does_what_the_help_says(open_page, site):
    page = open_page(LIST)
    page.keyboard.press("?")
    assert page.locator("dialog dt").count() == 13
    page.keyboard.press("Escape")
    page.wait_for_selector(CLOSED, state="attached")
    for key in "jj":
        page.keyboard.press(key)
    page.keyboard.press("k")
    assert page.locator(".line").first.get_attribute("class").endswith(" at")
    for key, shown in (("t", "input[name=add]"), ("m", "select[name=section]"), ("x", ".diff del")):
        page.keyboard.press(key)
        page.wait_for_selector(f"dialog[open] {shown}")
        page.keyboard.press("Escape")
        page.wait_for_selector(CLOSED, state="attached")
    with page.context.expect_page() as opened:
        page.keyboard.press("o")
    assert opened.value.evaluate("opener") is None
    page.keyboard.press("Enter")
    page.wait_for_url("**/paper/**")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.matches('.search input')")


def test_filter_is_in_the_address_and_is_taken_along(open_page, site):
    page = open_page(LIST)
    page.click(".filters summary")
    page.select_option("select[name=has]", "question")
    page.fill("input[name=year]", "2019..")
    page.click(".filters button")
    page.wait_for_url("**has=question*")
    assert page.locator(".line").count() == 1
    page.reload()
    assert page.locator(".line").count() == 1
    with page.expect_download() as taken:
        page.click(".take >> text=Markdown")
    assert taken.value.suggested_filename == "recent-ml-research.md"
    assert "FNet" in taken.value.path().read_text()


def test_bookmarklet_and_pasted_text_wait_in_the_inbox(open_page, site):
    page = open_page("/save?url=https://arxiv.org/abs/2103.00020&title=CLIP")
    page.click("text=Save to the inbox")
    page.wait_for_selector("text=Put it on recent-ml-research.md")
    page = open_page(LIST)
    page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/plain", "arxiv:2104.09864");
        document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true})); }"""
    )
    page.wait_for_selector("textarea[name=text]")
    assert page.input_value("textarea[name=text]") == "arxiv:2104.09864"
    page.click("button.first")
    page.wait_for_selector("text=new 1")
    assert page.said == []


def test_two_keys_are_said_to_be_one_work_and_different_again(open_page, site):
    page = open_page("/paper/arxiv:2105.03824")
    page.click(".belongs summary")
    page.fill(".belongs input[name=other]", "doi:10.18653/v1/2022.naacl-main.319")
    page.click(".belongs button")
    page.wait_for_selector("dialog .diff ins")
    page.keyboard.press("Enter")
    page.wait_for_selector(".links code >> nth=1")
    page.keyboard.press("u")
    page.wait_for_selector("dialog >> text=Not said any more")
    page.keyboard.press("Enter")
    page.wait_for_selector(".links code >> nth=1", state="detached")
    assert is_quiet(page, site)


def test_inbox_is_counted_beside_every_page(open_page, site):
    page = open_page(LIST)
    page.wait_for_function("Number(document.querySelector('#waiting').textContent) >= 2")
