"""Pages in Chromium, for the tests of every room that draws some."""

import shutil
from pathlib import Path

import pytest


CHROMIUM = shutil.which("chromium")
IN_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser():
    """A browser that finds no host but this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open a file or an address; `page.said` is all that it says, `page.asked` are the addresses that it asks for."""
    opened = []

    def visit(place, **settings):
        context = browser.new_context(**settings)
        opened.append(context)
        context.set_default_timeout(120_000)  # of a machine where much else runs
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: page.said.append(dialog.message))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(place.as_uri() if isinstance(place, Path) else place)
        return page

    yield visit
    for context in opened:
        context.close()


def asked_elsewhere(page, *own):
    """Return the addresses that a page asked for beyond those that begin as `own` ones do."""
    return [url for url in page.asked if not url.startswith(("data:", *own))]


def is_too_wide(page):
    """Whether a page scrolls sideways."""
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


def violations(page):
    """Return what axe finds serious or worse in a page, its folded parts opened."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return [
        (v["id"], v["nodes"][0]["html"][:200])
        for v in Axe().run(page).response["violations"]
        if v["impact"] in ("serious", "critical")
    ]
