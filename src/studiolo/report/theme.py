"""Colours by meaning. Pictures are drawn with placeholders that the page replaces by its own CSS variables."""

from __future__ import annotations

from typing import Any


# Placeholders: no colour that a reader sees. One for each CSS variable of tokens.css.
INK, SOFT, LINE = "#010203", "#010204", "#010205"
MEASURED = ("#0102a1", "#0102a2", "#0102a3", "#0102a4", "#0102a5")
VARIABLES = {
    INK: "--ink",
    SOFT: "--soft",
    LINE: "--line",
    **{colour: f"--series-{i}" for i, colour in enumerate(MEASURED, start=1)},
}

CONFIG: dict[str, Any] = {
    "aria": False,  # the figure around it has role, title, description and table; marks would triple the size
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": SOFT,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 13,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleLimit": 400,
    },
    "bar": {"continuousBandSize": 24},
}


def themed(text: str) -> str:
    """Replace the placeholders in a picture by the CSS variables they stand for."""
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text
