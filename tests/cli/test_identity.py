"""What the reader says of identity reaches the report, the run and the questions."""

import pytest
from typer.testing import CliRunner

from studiolo.cli.app import app


REVIEW = "https://openreview.net/forum?id=AAAAAAAAAA"


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "list.md").write_text(f"# L\n\n* [Performers]({REVIEW})\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def studiolo(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_same_work_under_another_key_can_run(here):
    assert "0 of 1 entry can run" in studiolo("report", "list.md", "--format", "md")
    assert "0 of 1 entry can run" in studiolo("run", "list.md", "--budget", "0s")
    studiolo("same", "arxiv:2009.14794", REVIEW)
    assert "1 of 1 entry can run" in studiolo("report", "list.md", "--format", "md")
    assert "1 of 1 entry can run" in studiolo("run", "list.md", "--budget", "0s")
    assert "performers: " in studiolo("keep-records", "list.md")
    studiolo("not-same", "arxiv:2009.14794", REVIEW)
    assert "0 of 1 entry can run" in studiolo("report", "list.md", "--format", "md")


def test_services_word_counts_too(here):
    (here / ".studiolo").mkdir()
    (here / ".studiolo" / "metadata.jsonl").write_text(
        '{"key": "arxiv:2009.14794", "title": "P", "same": ["openreview:AAAAAAAAAA"]}\n'
    )
    assert "1 of 1 entry can run" in studiolo("report", "list.md", "--format", "md")
