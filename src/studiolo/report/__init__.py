"""Pages and pictures from lists and records. Nothing is measured here, and no paper is imported."""

from .audit_page import render_audit
from .document import report_json, report_markdown
from .feed import feed_link
from .holding import claims_that_hold, measured_events
from .html import (
    Shown,
    can_draw,
    draw_figures,
    figure_script,
    figure_script_version,
    json_for_html,
    live_specs,
    render_html,
    shared_css,
    templates,
)
from .links import Chip, chips_of, linked_text
from .rows import Row, answers_to, join, keys_of, papers_on
from .save import note_seen, write_report, write_site
from .view import PaperView, View, counted, load_paper, load_view, now


__all__ = [
    "Chip",
    "PaperView",
    "Row",
    "Shown",
    "View",
    "answers_to",
    "can_draw",
    "chips_of",
    "claims_that_hold",
    "counted",
    "draw_figures",
    "feed_link",
    "figure_script",
    "figure_script_version",
    "join",
    "json_for_html",
    "keys_of",
    "linked_text",
    "live_specs",
    "load_paper",
    "load_view",
    "measured_events",
    "note_seen",
    "now",
    "papers_on",
    "render_audit",
    "render_html",
    "report_json",
    "report_markdown",
    "shared_css",
    "templates",
    "write_report",
    "write_site",
]
