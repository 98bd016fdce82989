"""The page as a browser shows it. Skipped, with a reason, where there is no Chromium."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from studiolo.lists import Document
from studiolo.report import load_view, render_audit, write_report, write_site
from tests.browsing import IN_CHROMIUM, asked_elsewhere, is_too_wide, violations

from .synthetic import make_paper, make_records
from .test_audit_page import RNG, made


pytestmark = IN_CHROMIUM

LIST = """# A list

* [A made-up paper](https://arxiv.org/abs/2001.00001)
  * Q: Does it hold?
* [A stranger](https://arxiv.org/abs/2001.00099) https://github.com/someone/code
"""
HOSTILE = f"""# <script>alert(1)</script> list

* [<img src=x onerror=alert(2)> \u202eevil](https://arxiv.org/abs/2001.00001)
  * <b onclick=alert(3)>note</b> javascript:alert(4)
  * [click](javascript:alert(5))
  * Q: <script>alert(6)</script>?
  * {"long" * 2500}
* <svg onload=alert(7)> </style><script>alert(8)</script> https://arxiv.org/abs/2001.00002
"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page with every kind of figure."""
    library = tmp_path_factory.mktemp("library")
    (library / ".studiolo").mkdir()
    paper = make_paper(library, figures=["lines", "points", "heatmap", "gallery"])
    make_records(library, paper, points=40)
    return write_report(load_view(Document(LIST.encode(), library / "list.md"), library))


def see_all_figures(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for plot in page.query_selector_all(".plot"):
        plot.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.live').length >= 2")


@pytest.mark.parametrize(("scheme", "widths"), [("light", (1200, 390)), ("dark", (390, 1200))])
def test_page_is_quiet_offline_fits_and_axe_finds_no_serious_violation(
    open_page, page_file, scheme, widths
):
    page = open_page(page_file, viewport={"width": widths[0], "height": 800}, color_scheme=scheme)
    see_all_figures(page)
    assert not is_too_wide(page)
    page.set_viewport_size({"width": widths[1], "height": 800})
    assert not is_too_wide(page)
    assert page.said == []
    assert asked_elsewhere(page) == [page_file.as_uri()]
    assert violations(page) == []


def test_figures_follow_the_colour_scheme_while_the_page_is_open(open_page, page_file):
    page = open_page(page_file, color_scheme="light")
    see_all_figures(page)
    before = page.eval_on_selector(".live svg", "svg => svg.outerHTML")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "old => document.querySelector('.live svg')?.outerHTML !== old", arg=before
    )
    assert "#6db3f2" in page.eval_on_selector(".live svg", "svg => svg.outerHTML")
    assert page.said == []


def test_axis_switches_between_linear_and_logarithmic(open_page, page_file):
    page = open_page(page_file)
    see_all_figures(page)
    button = page.locator("button.scale-switch").first
    before = page.eval_on_selector(".live svg", "svg => svg.textContent")
    assert button.get_attribute("aria-pressed") == "true"
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "old => document.querySelector('.live svg')?.textContent !== old",
        arg=before,
    )
    assert button.get_attribute("aria-pressed") == "false"


def test_page_is_whole_without_javascript(open_page, page_file):
    page = open_page(page_file, java_script_enabled=False)
    assert page.locator(".plot svg").count() == 3
    assert page.locator(".gallery img").count() == 6
    assert page.locator("button.scale-switch:visible").count() == 0


def test_everything_can_be_reached_by_keyboard(open_page, page_file):
    page = open_page(page_file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the list"
    kinds = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        kinds.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "SUMMARY"} <= kinds


def test_page_prints(open_page, page_file):
    page = open_page(page_file)
    assert len(page.pdf(format="A4")) > 10_000


def test_page_of_a_split_report_has_live_figures_and_fits(open_page, tmp_path):
    (tmp_path / ".studiolo").mkdir()
    make_records(tmp_path, make_paper(tmp_path))
    view = load_view(Document(LIST.encode(), tmp_path / "list.md"), tmp_path)
    folder = write_site(view, tmp_path / "site").parent
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        page = open_page(
            f"http://127.0.0.1:{server.server_port}/index.html",
            viewport={"width": 390, "height": 800},
        )
        page.locator(".runs > a").click()
        page.wait_for_selector(".live svg")
        assert page.url.endswith("/made_up.html")
        assert page.said == []
        assert not is_too_wide(page)
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_link_to_a_claim_opens_what_folds_it(open_page, page_file):
    page = open_page(page_file)
    assert not page.locator("#made_up-claim-0").is_visible()
    page.locator(".verdicts a").first.click()
    assert page.locator("#made_up-claim-0").is_visible()


def test_hostile_list_is_shown_as_text(open_page, library):
    page_file = write_report(load_view(Document(HOSTILE.encode(), library / "list.md"), library))
    page = open_page(page_file, viewport={"width": 390, "height": 800})
    assert page.said == []
    assert page.asked == [page_file.as_uri()]
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("[...document.links].every(a => !a.href.startsWith('javascript:'))")
    assert not is_too_wide(page)
    assert "<script>alert(6)</script>?" in page.inner_text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_of_an_audit_is_quiet_fits_and_has_no_serious_violation(open_page, tmp_path, scheme):
    path = tmp_path / "page.html"
    path.write_text(render_audit(made(), title="A", pictures=RNG.random((900, 5, 5))))
    page = open_page(path, viewport={"width": 390, "height": 800}, color_scheme=scheme)
    assert page.said == []
    assert asked_elsewhere(page) == [path.as_uri()]
    assert not is_too_wide(page)
    assert violations(page) == []
