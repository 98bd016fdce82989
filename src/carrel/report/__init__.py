"""Pages and pictures from lists and records. Nothing is measured here, and no paper is imported."""

from .page import render_page, write_report


__all__ = ["render_page", "write_report"]
