"""Pages and pictures from lists and records. Nothing is measured here, and no paper is imported."""

from .audit_page import render_audit
from .document import report_json, report_markdown
from .html import render_html
from .rows import answers_to, join, papers_on
from .save import note_seen, write_report
from .view import PaperView, View, load_view


__all__ = [
    "PaperView",
    "View",
    "answers_to",
    "join",
    "load_view",
    "note_seen",
    "papers_on",
    "render_audit",
    "render_html",
    "report_json",
    "report_markdown",
    "write_report",
]
