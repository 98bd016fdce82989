"""Pictures as text: SVG from Vega-Lite, PNG of a gallery, strips that show an interval in its region, badges."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import io
import json
import math
import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import platformdirs

from studiolo.claims import DOES_NOT_PASS, PASSES, Interval, Region, Word
from studiolo.errors import FileError
from studiolo.files import save_bytes

from .theme import themed


STRIP_WIDTH, STRIP_HEIGHT = 150, 22
COLOURS: dict[str, str] = {  # of badges, which stand alone on a foreign page
    Word.HOLDS: "#1a7f4b",
    PASSES: "#1a7f4b",
    Word.DIRECTION: "#8a6100",
    Word.DOES_NOT_HOLD: "#a2357a",
    DOES_NOT_PASS: "#b3261e",
    Word.ERROR: "#b3261e",
}
SHAPES = {
    "svg", "g", "path", "rect", "circle", "line", "text", "tspan", "defs", "clipPath",
    "linearGradient", "stop",
}  # fmt: skip


def cache_folder() -> Path:
    """Where drawn figures are kept: with the reader, never in a library, which may be a stranger's."""
    return Path(platformdirs.user_cache_dir("studiolo")) / "figures"


def svg_of(spec: dict[str, Any]) -> str:
    """Return a Vega-Lite specification as SVG that takes its colours from the page.

    Raises:
        ValueError: it cannot be drawn; says why.
    """
    import vl_convert

    text = f"svg3 {version('vl-convert-python')} {json.dumps(spec, sort_keys=True)}"
    path = cache_folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.svg"
    svg = _kept(path)
    if svg is None or why_not_a_drawing(svg):
        svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", vl_convert.vegalite_to_svg(spec))
        if why := why_not_a_drawing(svg):  # the figure around it has role and label
            raise ValueError(why)
        _keep(path, svg)
    return themed(svg)


def why_not_a_drawing(svg: str) -> str:
    """Say what in an SVG is more than shapes and text that stand still, or return an empty string."""
    if "<!" in svg or "<?" in svg:
        return "a drawing holds a declaration"
    try:
        root = ElementTree.fromstring(svg)  # without declarations there are no entities
    except ElementTree.ParseError as error:
        return f"a drawing is not XML: {error}"
    if _local(root.tag) != "svg" or not root.get("width") or not root.get("height"):
        return "a drawing has no size"
    for part in root.iter():
        if _local(part.tag) not in SHAPES:
            return f"a drawing holds <{_local(part.tag)}>"
        for name, value in part.items():
            local = _local(name).lower()
            far = "url(" in value.replace("url(#", "")
            if local.startswith("on") or local in ("href", "src") or far or "\\" in value:
                return f"a drawing holds {local}={value[:40]!r}"
    return ""


@cache
def vega_bundle() -> str:
    """Return the script that draws live figures: Vega, Vega-Lite, Vega-Embed and its expression interpreter.

    It is made by the installed package, which takes seconds; what is kept of it bears its own hash as its name's end.
    """
    import vl_convert

    prefix = f"bundle-{version('vl-convert-python')}-"
    for path in sorted(cache_folder().glob(f"{prefix}*.js")):
        kept = _kept(path)
        if kept is not None and path.stem == prefix + _digest(kept):
            return kept
    make: Callable[..., str] = vl_convert.javascript_bundle  # its types ask for a needless argument
    bundle = make()
    _keep(cache_folder() / f"{prefix}{_digest(bundle)}.js", bundle)
    return bundle


def _kept(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _keep(path: Path, text: str) -> None:
    """Keep a drawing for the next time; where that is impossible it is drawn again."""
    with contextlib.suppress(FileError):
        save_bytes(path, text.encode())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def png_data_uri(picture: Any) -> str:
    """Return a picture, (height, width) in [0, 1], as a PNG data URI."""
    import numpy as np
    from PIL import Image

    levels = np.clip(np.nan_to_num(np.asarray(picture, float)), 0, 1) * 255
    buffer = io.BytesIO()
    Image.fromarray(levels.round().astype(np.uint8)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def interval_strip(region: Region, interval: Interval) -> str:
    """Return a small SVG: the region of agreement shaded, the measured interval as a bar, the estimate as a dot."""
    numbers = [interval.estimate, interval.low, interval.high, region.low, region.high]
    finite = [x for x in numbers if math.isfinite(x)]
    if not math.isfinite(interval.estimate):
        return ""
    log = min(finite) > 0 and max(finite) > 20 * min(finite)
    place = [math.log(x) if log else x for x in finite]
    low, high = min(place), max(place)
    margin = 0.15 * (high - low) or 0.5 * (abs(high) or 1.0)
    low, high = low - margin, high + margin

    def at(x: float) -> float:
        if not math.isfinite(x) or (log and x <= 0):
            return 0.0 if x < interval.estimate else STRIP_WIDTH
        share = ((math.log(x) if log else x) - low) / (high - low)
        return round(min(max(share, 0.0), 1.0) * STRIP_WIDTH, 1)

    left, right = at(region.low), at(region.high)
    middle = STRIP_HEIGHT / 2
    label = html.escape(
        f"measured {interval}; agrees if {region}; {'log' if log else 'linear'} scale"
    )
    return (
        f'<svg class="strip" role="img" viewBox="0 0 {STRIP_WIDTH} {STRIP_HEIGHT}" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<rect class="agrees" x="{left}" y="2" width="{max(right - left, 1.5)}" height="{STRIP_HEIGHT - 4}"/>'
        f'<line x1="{at(interval.low)}" x2="{at(interval.high)}" y1="{middle}" y2="{middle}"/>'
        f'<circle cx="{at(interval.estimate)}" cy="{middle}" r="3.2"/></svg>'
    )


def badge(label: str, word: str, scale: str = "") -> str:
    """Return a badge that stands alone: a label, the word of a verdict and a scale."""
    right = f"{word} · {scale}" if scale else word
    colour = COLOURS.get(word, "#5b6470")
    left_width, right_width = (round(6.6 * len(text)) + 14 for text in (label, right))
    width = left_width + right_width
    label, right = html.escape(label), html.escape(right)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" '
        f'aria-label="{label}: {right}"><title>{label}: {right}</title>'
        f'<rect width="{width}" height="20" rx="3" fill="#3b424c"/>'
        f'<path d="M{left_width} 0h{right_width - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{left_width}z" fill="{colour}"/>'
        f'<g fill="#fff" font-family="system-ui,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left_width / 2}" y="14">{label}</text>'
        f'<text x="{left_width + right_width / 2}" y="14">{right}</text></g></svg>\n'
    )
