"""The report as one HTML file: readable without a script, live with one, and silent on the network either way."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jinja2
from markupsafe import Markup

from studiolo.claims import Claim, Figure, Verdict, outcome_of_check
from studiolo.runs import is_readers_own

from .feed import feed_link
from .figures import Drawn, draw
from .links import WEB, chips_of, linked_text
from .pictures import interval_strip, png_data_uri, svg_of, vega_bundle
from .theme import VARIABLES
from .view import FIRST_CLAIMS, PaperView, View, counted, share_of


TEMPLATES = Path(__file__).parent / "templates"
CODE_FILES = ("reference.py", "model.py", "experiments.py", "paper.toml")
README_PARTS = (
    "What this does not show",
    "What was easy, what was difficult",
    "Differences from the paper",
)
FIGURES_NEED = (
    "numpy",
    "PIL",
    "vl_convert",
)  # of the extra `run`; a page without them is still a page
SCRIPT_FILE = "figures.js"  # beside the pages of a report of several
FEW_PEOPLE = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure on the page, or why it could not be drawn.

    Attributes:
        svg: the still picture. pictures: (PNG, caption) of a gallery.
    """

    figure: Figure
    drawn: Drawn | None = None
    svg: Markup | None = None
    pictures: Sequence[tuple[str, str]] = ()
    why: str = ""


@cache
def templates(*more: Path) -> jinja2.Environment:
    """Return the templates of the pages: everything that is put into one is escaped.

    Args:
        more: folders with further templates, which may use those of the report.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*more, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shell"] = shlex.quote
    environment.filters["counted"] = counted
    environment.filters["share_of"] = share_of
    environment.filters["linked_text"] = linked_text
    environment.globals |= {
        "strip": _strip,
        "code": _code,
        "readme_parts": _readme_parts,
        "own": is_readers_own,
        "link": _link,
        "people": _people,
        "chips": chips_of,
        "outcome_of_check": outcome_of_check,
        "first_claims": FIRST_CLAIMS,
    }
    return environment


def render_html(view: View, *, live: bool = True) -> str:
    """Return the page of a list.

    Args:
        live: with figures that respond to the mouse; without, the page has no script at all.
    """
    figures = {slug: draw_figures(paper) for slug, paper in view.papers.items()}
    specs = live_specs(figures) if live else {}
    path = view.document.path
    return _page(
        "page.html.j2",
        view,
        figures,
        specs,
        script=figure_script() if specs else None,
        list_path=str(path.resolve()) if path else "",
        place=lambda slug, id="": f"#{slug}-{id}" if id else f"#{slug}",
    )


def render_site(view: View, *, live: bool = True, feed: str = "") -> dict[str, str]:
    """Return the pages of a list by file name: an index, a page for each paper, and the script that they share.

    Their links are relative and name no path of this machine, so that any server of files can show them.

    Args:
        live: with figures that respond to the mouse; without, no page has a script.
        feed: the file of the library's feed beside the pages, which the index then names.
    """

    def place(slug: str, id: str = "") -> str:
        return f"{slug}.html#{slug}-{id}" if id else f"{slug}.html"

    path, library = view.document.path, view.library.resolve()
    inside = path is not None and path.resolve().is_relative_to(library)
    name = path.resolve().relative_to(library).as_posix() if path and inside else ""
    named = feed_link(feed, view.title) if feed else None
    index = _page("page.html.j2", view, {}, {}, split=True, list_path=name, place=place, feed=named)
    pages = {"index.html": index}
    for slug, paper in view.papers.items():
        figures = {slug: draw_figures(paper)}
        specs = live_specs(figures) if live else {}
        pages[f"{slug}.html"] = _page(
            "paper_page.html.j2",
            replace(view, papers={slug: paper}, problems=[]),
            figures,
            specs,
            split=True,
            place=place,
            whole=view,
            slug=slug,
            paper=paper,
        )
        if specs:
            pages[SCRIPT_FILE] = figure_script()
    return pages


def _page(
    template: str,
    view: View,
    figures: Mapping[str, Sequence[Shown]],
    specs: Mapping[str, object],
    *,
    script: Markup | None = None,
    split: bool = False,
    list_path: str = "",
    feed: Markup | None = None,
    **more: object,
) -> str:
    """Return a page. With `split` it is one of several: its script is a file beside it, and it links nothing local."""
    return (
        templates()
        .get_template(template)
        .render(
            view=view,
            figures=figures,
            specs=json_for_html(specs) if specs else None,
            script=script,
            script_file=SCRIPT_FILE,
            split=split,
            list_path=list_path,
            feed=feed,
            css=Markup(page_css()),
            policy=page_policy(script, own_files=bool(split and specs)),
            drawable=can_draw(),
            machine_names=view.machine_names,
            **more,
        )
    )


def live_specs(figures: Mapping[str, Sequence[Shown]]) -> dict[str, object]:
    """Return what live figures are drawn from, by the id of their place on the page."""
    return {
        f"{slug}-{shown.figure.id}": shown.drawn.spec
        for slug, drawings in figures.items()
        for shown in drawings
        if shown.drawn and shown.svg
        if shown.figure.kind != "heatmap"  # thousands of cells, twice, for a hover
    }


def page_css() -> str:
    """Return the style of the report: what all pages share, and its own layout."""
    return shared_css() + (TEMPLATES / "page.css").read_text()


def shared_css() -> str:
    """Return the style that all pages share: colours, verdicts, tables, figures, code."""
    return (TEMPLATES / "tokens.css").read_text()


def can_draw() -> bool:
    """Whether what draws figures is installed."""
    return all(find_spec(package) for package in FIGURES_NEED)


def draw_figures(paper: PaperView) -> list[Shown]:
    """Return the figures of a paper, each drawn or with the reason why it is not; none where they cannot be drawn here."""
    if not can_draw():
        return []
    shown = (_shown(paper, figure) for figure in paper.paper.figures)
    return [one for one in shown if one is not None]


def _shown(paper: PaperView, figure: Figure) -> Shown | None:
    found = paper.figure_evidence(figure)
    if found is None:
        return None
    source, records = found
    try:
        drawn = draw(figure, records, source.folder, machine=source.machine, here=source.here)
        if drawn is None:
            return None
        svg = Markup(svg_of(drawn.spec)) if drawn.spec else None
        pictures = [(png_data_uri(picture), caption) for picture, caption in drawn.images]
    except Exception as error:  # noqa: BLE001  (arrays may hold anything, and a figure is not worth losing a report for)
        return Shown(figure, why=str(error) or type(error).__name__)
    return Shown(figure, drawn, svg, pictures)


def figure_script_version() -> str:
    """Return a word that differs where the script of live figures does, without making it."""
    own = (TEMPLATES / "page.js").read_bytes()
    return hashlib.sha256(version("vl-convert-python").encode() + own).hexdigest()[:12]


def figure_script() -> Markup:
    """Return the bundle and the lines that put live figures in the place of still ones; made the first time, which takes seconds."""
    own = (TEMPLATES / "page.js").read_text()
    own = own.replace("VARIABLES", json.dumps({v: k for k, v in VARIABLES.items()}))
    bundle = vega_bundle().replace("</script", "<\\/script")
    return Markup(f"{bundle}\n{own}")


def page_policy(script: Markup | None = None, *, own_files: bool = False) -> str:
    """Return the content security policy: nothing from anywhere, and only the script that we wrote, if any.

    Args:
        script: what the page holds. own_files: it lies in a file beside the page.
    """
    rules = [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if script is not None:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        rules.append(f"script-src 'sha256-{digest}'")
    elif own_files:
        rules.append("script-src 'self'")
    return "; ".join(rules)


def json_for_html(value: object) -> Markup:
    """Return JSON that cannot end the element that holds it."""
    return Markup(json.dumps(value, allow_nan=False).replace("<", "\\u003c"))


def _strip(claim: Claim, verdict: Verdict) -> Markup:
    if claim.region is None or verdict.interval is None:
        return Markup("")
    return Markup(interval_strip(claim.region, verdict.interval))


def _link(url: str) -> str | None:
    """Return an address that a reader may follow: the web, nothing else."""
    return url if url.startswith(WEB) else None


def _people(authors: Sequence[str]) -> str:
    """Return the people of an entry in a few words."""
    if len(authors) <= FEW_PEOPLE:
        return ", ".join(authors)
    return f"{', '.join(authors[: FEW_PEOPLE - 1])} and {len(authors) - FEW_PEOPLE + 1} others"


def _code(paper: PaperView) -> list[tuple[str, Markup]]:
    """Return the files of a paper folder with their syntax in colours."""
    return [
        (name, _highlighted(_text(paper.paper.folder / name), name))
        for name in CODE_FILES
        if (paper.paper.folder / name).is_file()
    ]


def _text(path: Path) -> str:
    """Return a file as text; bytes that are not UTF-8 show as U+FFFD."""
    return path.read_text(encoding="utf-8", errors="replace")


@cache
def _highlighted(text: str, name: str) -> Markup:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_for_filename

    return Markup(highlight(text, get_lexer_for_filename(name), HtmlFormatter(nowrap=True)))


def _readme_parts(paper: PaperView) -> list[tuple[str, Markup]]:
    """Return the sections of the paper's README that a report must not leave out."""
    from markdown_it import MarkdownIt

    path = paper.paper.folder / "README.md"
    if not path.is_file():
        return []
    sections = re.split(r"^## +(.+?) *$", _text(path), flags=re.MULTILINE)
    by_title = dict(zip(sections[1::2], sections[2::2], strict=True))
    markdown = MarkdownIt("js-default", {"html": False}).disable("image")
    return [
        (title, Markup(markdown.render(by_title[title])))
        for title in README_PARTS
        if title in by_title
    ]
