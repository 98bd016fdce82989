"""Pages and pictures from lists and records. Nothing is measured here, and no paper is imported."""

from .document import report_json, report_markdown
from .html import render_html
from .join import answers_to
from .save import write_report
from .view import View, load_view


__all__ = [
    "View",
    "answers_to",
    "load_view",
    "render_html",
    "report_json",
    "report_markdown",
    "write_report",
]
