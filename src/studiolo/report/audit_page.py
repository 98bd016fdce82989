"""The page of an audit: headline, floor, charts of classes and groups, and the examples that were forgotten."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import studiolo
from studiolo.errors import FileError

from .html import page_css, page_policy, templates
from .pictures import png_data_uri


if TYPE_CHECKING:
    from studiolo.audit import Audit, Parts


SHOWN = 60  # examples, and parts, on the page
TEXT = 400  # letters of a column
WIDTH, ROW, LEFT, RIGHT = 720, 22, 170, 60
KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}


@dataclass(frozen=True, slots=True)
class _Example:
    id: str
    label: str | None
    before: str
    after: str
    says: str
    picture: str | None
    columns: tuple[str, ...]


def render_audit(audit: Audit, *, title: str, pictures: Any = None) -> str:
    """Return the page of an audit, whole without any script.

    Args:
        pictures: of the examples, in their order: an array (examples, height, width) or with three colours behind, 0 to 1
            or 0 to 255; its `.npy`; or a folder of pictures named by the examples' ids. None: their columns are shown.

    Raises:
        FileError: the pictures cannot be read, or are of another number of examples.
    """
    chosen, gallery_title, gallery_says = _chosen(audit)
    picture = _pictures(pictures, audit)
    return (
        templates()
        .get_template("audit.html.j2")
        .render(
            audit=audit,
            title=title,
            headline=_headline(audit),
            overview=_overview(audit),
            gallery=[_example(audit, i, picture) for i in chosen],
            gallery_title=gallery_title,
            gallery_says=gallery_says,
            with_pictures=pictures is not None,
            ranked=_ranked,
            chart=lambda parts, rows, name: Markup(_chart(parts, rows, name, audit.level)),
            css=Markup(page_css()),
            policy=page_policy(),
            version=studiolo.__version__,
        )
    )


def _headline(audit: Audit) -> str:
    flips = f"{100 * audit.flips.share:.2f} % of the answers flipped"
    if audit.floor_flips is not None:
        flips += f", {100 * audit.floor_flips.share:.2f} % by chance alone"
    if audit.accuracy is None:
        return f"{flips}."
    change = 100 * audit.accuracy.change
    return f"{flips}; the accuracy changed by {change:+.2f} points."


def _overview(audit: Audit) -> list[tuple[str, str, str]]:
    """Return rows of the overview: what, found, floor."""
    flips, floor = audit.flips, audit.floor_flips

    def share(name: str) -> tuple[str, str]:
        return (
            f"{100 * getattr(flips, name):.2f} %",
            "–" if floor is None else f"{100 * getattr(floor, name):.2f} %",
        )

    rows = [("answers that flipped", *share("share"))]
    if audit.known:
        rows += [
            ("from right to wrong", *share("right_to_wrong")),
            ("from wrong to right", *share("wrong_to_right")),
            ("from one wrong answer to another", *share("wrong_to_wrong")),
        ]
    if audit.known < audit.n:
        rows.append(("where the right answer is not known", *share("unknown")))
    if (a := audit.accuracy) is not None:
        null = audit.floor_accuracy
        rows.append(
            (
                "accuracy",
                f"{100 * a.before:.2f} % to {100 * a.after:.2f} %: {100 * a.change:+.2f} points "
                f"({100 * a.low:+.2f} to {100 * a.high:+.2f}), p = {a.p:.2g}, {a.test}",
                "–" if null is None else f"{100 * null.change:+.2f} points, p = {null.p:.2g}",
            )
        )
    if (d := audit.divergence) is not None:
        rows.append(
            (
                "divergence of the scores",
                f"{d.mean:.4g} nats ({d.low:.4g} to {d.high:.4g})",
                "–" if d.floor is None else f"{d.floor:.4g} nats",
            )
        )
    if max(audit.models) > 1:
        pies = audit.pies
        rows.append(
            (
                "examples whose modal answer changed",
                f"{int(audit.examples.pie.sum()):,} ({100 * pies.share:.2f} %)",
                "–",
            )
        )
        if pies.floor is not None and pies.at_size is not None:
            rows.append(
                (
                    f"the same, {pies.size} models a side",
                    f"{100 * pies.at_size:.2f} %",
                    f"{100 * pies.floor:.2f} %",
                )
            )
    if audit.forgotten is not None:
        found = "–" if audit.floor_findings is None else f"{audit.floor_findings:,}"
        rows.append(
            (
                f"examples right less or more often, q ≤ {audit.level:g}",
                f"{audit.forgotten:,} and {audit.gained:,}",
                found,
            )
        )
    return rows


def _chosen(audit: Audit) -> tuple[list[int], str, str]:
    """Return the examples of the gallery, most forgotten first, and how it is to be called."""
    import numpy as np

    examples = audit.examples
    lost = np.nan_to_num(examples.right_before - examples.right_after)
    found = np.flatnonzero(examples.forgotten(audit.level))
    if len(found):
        title, says = "Forgotten examples", f"Right less often at q ≤ {audit.level:g}"
    else:
        found = np.flatnonzero(examples.pie & ((lost > 0) | ~examples.known))
        title, says = "Examples that flipped", "The modal answer changed, and not for the better"
        if audit.floor is None:
            says += "; without models that should be equal nobody knows how many of them chance explains"
    order = np.lexsort((np.arange(len(found)), -examples.score[found], -lost[found]))
    chosen = found[order][:SHOWN].tolist()
    count = (
        f"the {len(chosen)} most changed of {len(found):,}"
        if len(found) > SHOWN
        else f"{len(found):,}"
    )
    return chosen, title, f"{says}: {count}."


def _example(audit: Audit, i: int, picture: Any) -> _Example:
    examples = audit.examples
    says = []
    if max(audit.models[:2]) > 1:
        if examples.known[i]:
            says.append(
                f"right {100 * examples.right_before[i]:.0f} % → {100 * examples.right_after[i]:.0f} %"
            )
        if not math.isnan(examples.q[i]):
            says.append(f"q {examples.q[i]:.2g}")
    elif examples.known[i]:
        words = {0.0: "wrong", 1.0: "right"}
        says.append(
            f"{words[float(examples.right_before[i])]} → {words[float(examples.right_after[i])]}"
        )
    if examples.margin_before is not None and examples.margin_after is not None:
        says.append(f"margin {examples.margin_before[i]:.2f} → {examples.margin_after[i]:.2f}")
    code = None if examples.label is None else int(examples.label[i])
    return _Example(
        examples.ids[i],
        None if code is None or code < 0 else audit.answer(code),
        _short(audit.answer(int(examples.answer_before[i]))),
        _short(audit.answer(int(examples.answer_after[i]))),
        ", ".join(says),
        picture(i, examples.ids[i]),
        tuple(_short(values[i]) for values in audit.columns.values()),
    )


def _short(text: str) -> str:
    return text if len(text) <= TEXT else f"... {text[-TEXT:]}"


def _ranked(parts: Parts) -> list[int]:
    """Return the parts to show, most lost first; of many the ends."""
    known = [i for i, x in enumerate(parts.relative) if not math.isnan(x)]
    order = sorted(known, key=lambda i: float(parts.relative[i]))
    return order if len(order) <= SHOWN else order[: SHOWN // 2] + order[-SHOWN // 2 :]


def _chart(parts: Parts, rows: Sequence[int], name: str, level: float) -> str:
    """Return an SVG with a line for each part: its interval, its estimate, and what chance did."""
    nulls = parts.null_relative
    ends = [float(x[i]) for i in rows for x in (parts.low, parts.high, parts.relative)]
    if nulls is not None:
        ends += [float(nulls[i]) for i in rows if not math.isnan(nulls[i])]
    ends = [e for e in ends if math.isfinite(e)]
    reach = max(map(abs, ends), default=0.0) or 0.01
    reach = min(
        reach, max((2.5 * abs(float(parts.relative[i])) for i in rows), default=reach) + 0.02
    )
    height = ROW * (len(rows) + 1) + 6

    def at(x: float) -> float:
        x = min(max(x, -reach), reach)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (x + reach) / (2 * reach), 1)

    label = escape(
        f"{name}: relative change in points, {len(rows)} rows, from {-100 * reach:.1f} to {100 * reach:.1f}"
    )
    zero = at(0.0)
    out = [
        f'<div class="plot"><svg role="img" viewBox="0 0 {WIDTH} {height}" aria-label="{label}" '
        f'style="max-width:{WIDTH}px" font-size="12" font-family="system-ui, sans-serif"><title>{label}</title>',
        f'<line x1="{zero}" x2="{zero}" y1="0" y2="{ROW * len(rows)}" stroke="var(--line)"/>',
    ]
    lost, gained = parts.lost(level), parts.gained(level)
    for row, i in enumerate(rows):
        y = ROW * row + ROW / 2
        colour = "var(--no)" if lost[i] else "var(--yes)" if gained[i] else "var(--soft)"
        fill = colour if lost[i] or gained[i] else "var(--page)"
        text = parts.names[i] if len(parts.names[i]) <= 24 else f"{parts.names[i][:22]}…"
        out.append(
            f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end" fill="var(--ink)">{escape(text)}</text>'
        )
        if math.isfinite(parts.low[i]) and math.isfinite(parts.high[i]):
            out.append(
                f'<line x1="{at(parts.low[i])}" x2="{at(parts.high[i])}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
            )
        if nulls is not None and math.isfinite(nulls[i]):
            x = at(nulls[i])
            out.append(
                f'<path d="M{x - 4} {y}L{x} {y - 4}L{x + 4} {y}L{x} {y + 4}Z" fill="none" stroke="var(--series-4)"/>'
            )
        out.append(
            f'<circle cx="{at(parts.relative[i])}" cy="{y}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>'
            f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4}" fill="var(--soft)">{100 * parts.relative[i]:+.1f}</text>'
        )
    y = ROW * len(rows) + 16
    out += [
        f'<text x="{at(x)}" y="{y}" text-anchor="middle" fill="var(--soft)">{100 * x:+.1f}</text>'
        if x
        else f'<text x="{zero}" y="{y}" text-anchor="middle" fill="var(--soft)">0</text>'
        for x in (-reach, 0.0, reach)
    ]
    return "".join(out) + "</svg></div>"


def _pictures(pictures: Any, audit: Audit) -> Any:
    """Return a function from an example's place and id to a data URI, or to None without a picture."""
    if pictures is None:
        return lambda i, name: None
    if isinstance(pictures, str | Path) and Path(pictures).is_dir():
        folder = Path(pictures)

        def from_folder(i: int, name: str) -> str | None:
            for suffix, kind in KINDS.items():
                for stem in (name, Path(name).stem):
                    path = folder / f"{stem}{suffix}"
                    if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
                        return (
                            f"data:image/{kind};base64,"
                            + base64.b64encode(path.read_bytes()).decode()
                        )
            return None

        return from_folder
    import numpy as np

    if isinstance(pictures, str | Path):
        try:
            pictures = np.load(pictures, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise FileError(
                f"{pictures} cannot be read as an array of pictures: {error}."
            ) from None
    if len(pictures) != audit.n or np.ndim(pictures) not in (3, 4):
        raise FileError(
            f"The pictures are {np.shape(pictures)} and there are {audit.n:,} examples: (examples, height, width) is "
            "expected, with three colours behind or none."
        )
    brightest = 255.0 if pictures.dtype.kind in "ui" else 1.0

    def from_array(i: int, name: str) -> str:
        picture = np.asarray(pictures[i], float) / brightest
        if picture.ndim == 3 and picture.shape[-1] == 1:
            picture = picture[..., 0]
        elif picture.ndim == 3 and picture.shape[0] in (1, 3) and picture.shape[-1] != 3:
            picture = np.moveaxis(picture, 0, -1).squeeze()  # colours first, as torch has them
        low, high = picture.min(), picture.max()
        if low < 0 or high > 1:  # standardised inputs
            picture = (picture - low) / (high - low)
        return png_data_uri(picture)

    return from_array
