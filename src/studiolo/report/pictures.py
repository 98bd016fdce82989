"""Pictures as text: SVG from Vega-Lite, PNG of a gallery, strips that show an interval in its region, badges."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studiolo.claims import Interval, Region, Verdict

from .theme import themed


STRIP_WIDTH, STRIP_HEIGHT = 150, 22
COLOURS = {  # of badges, which stand alone on a foreign page
    "holds": "#1a7f4b",
    "holds in direction only": "#8a6100",
    "does not hold": "#a2357a",
    "error": "#b3261e",
}


def cached(folder: Path, key: str, make: Callable[[], str]) -> str:
    """Return what `make` returns, from the file that an earlier call with the same key left in `folder`."""
    path = folder / hashlib.sha256(key.encode()).hexdigest()[:24]
    if path.is_file():
        return path.read_text(encoding="utf-8")
    text = make()
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return text


def svg_of(spec: dict[str, Any], cache: Path) -> str:
    """Return a Vega-Lite specification as SVG that takes its colours from the page."""

    def make() -> str:
        import vl_convert

        svg = vl_convert.vegalite_to_svg(spec)
        svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg)  # the figure around it has them
        width, height = re.findall(r'(?:width|height)="([\d.]+)"', svg)[:2]
        return svg.replace(
            "<svg ", f'<svg style="max-width:{width}px;aspect-ratio:{width}/{height}" ', 1
        )

    return themed(cached(cache, "svg2" + json.dumps(spec, sort_keys=True), make))


def vega_bundle(cache: Path) -> str:
    """Return the script that draws live figures: Vega, Vega-Lite, Vega-Embed and its expression interpreter."""
    import vl_convert

    make: Callable[..., str] = (
        vl_convert.javascript_bundle
    )  # its types ask for an argument that it does not need
    version = vl_convert.get_vega_version() + vl_convert.get_vega_embed_version()
    return cached(cache, f"bundle1{version}", make)


def png_data_uri(picture: Any) -> str:
    """Return a picture, (height, width) in [0, 1], as a PNG data URI."""
    import numpy as np
    from PIL import Image

    levels = np.clip(np.asarray(picture, float), 0, 1) * 255
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


def badge(label: str, verdict: Verdict | str, scale: str = "") -> str:
    """Return a badge that stands alone: a label, a verdict and a scale."""
    word = verdict if isinstance(verdict, str) else verdict.word
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
