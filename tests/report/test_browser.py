"""The page as a browser shows it. Skipped, with a reason, where there is no Chromium."""

import shutil

import pytest

from carrel.lists import Document
from carrel.report import write_report


CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]

HOSTILE = """# <script>alert(1)</script> list

* [<img src=x onerror=alert(2)> \u202eevil](https://arxiv.org/abs/2105.03824)
  * <b onclick=alert(3)>note</b> javascript:alert(4)
  * [click](javascript:alert(5))
  * Q: <script>alert(6)</script>?
"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"],
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_page_is_quiet_offline_and_fits(browser, library, scheme, width):
    page_file = write_report(Document.parse(HOSTILE.encode(), library / "list.md"), library)
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    messages, requests = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    assert messages == []
    assert requests == [page_file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("[...document.links].every(a => !a.href.startsWith('javascript:'))")
    assert "<script>alert(6)</script>?" in page.inner_text("body")
    page.close()
