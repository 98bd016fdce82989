import pytest

from studiolo.report import pictures
from tests.browsing import browser, open_page  # noqa: F401  (fixtures)


@pytest.fixture(scope="session", autouse=True)
def drawings(tmp_path_factory):
    """A folder for kept drawings that is nobody's, the same for all tests of a session."""
    folder = tmp_path_factory.mktemp("drawings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "cache_folder", lambda: folder)
        yield folder
