"""Build the documentation site into build/documentation/site, strictly: python docs/build.py

Pages come from docs/, from the paper folders with their records, and from the docstrings of what each room exports.
The build fails at a warning, at a link inside the site that leads nowhere, and at anything loaded from elsewhere.
"""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from studiolo.claims import Claim, Paper, Verdict, Word, load_paper, outcome_of_check
from studiolo.report.figures import draw
from studiolo.report.pictures import svg_of
from studiolo.runs import Evidence, load_reference_evidence, paper_folders
from studiolo.runs.evidence import experiment_of_figure


ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "studiolo"
HOME = ROOT / "build" / "documentation"
SITE = HOME / "site"
WINGS = {
    "Both wings": ("errors", "files"),
    "Reading": ("keys", "lists", "net", "sources", "metadata", "index", "library", "garden"),
    "Running": ("claims", "runs", "measure", "data", "train", "nn", "audit"),
    "The face": ("report", "web"),
}
LONGEST = 400  # characters of a definition that is shown
LINKS = (
    (r"\(\.\./src/studiolo/papers/(\w+)/README\.md", r"(papers/\1.md"),
    (r"\(\.\./src/studiolo/papers/README\.md", "(papers/index.md"),
    (r"\(\.\./src/studiolo/__init__\.py", "(api/index.md"),
)
COPIED = ("*.md", "*.svg", "*.png", "*.css", "schemas/*.json")


def build() -> None:
    """Write all pages and build the site; ends with exit code 1 at a warning or a broken link."""
    shutil.rmtree(HOME, ignore_errors=True)
    for pattern in COPIED:
        for path in (ROOT / "docs").glob(pattern):
            content = path.read_bytes()
            if path.suffix == ".md":
                content = _linked(content.decode()).encode()
            _write(path.relative_to(ROOT / "docs").as_posix(), content)
    papers = [load_paper(folder) for folder in paper_folders()]
    pages = {"papers": dict(_papers(papers)), "api": dict(_api(papers))}
    for folder, named in pages.items():
        for name, text in named.items():
            _write(f"{folder}/{name}.md", text.encode())
    _configure(pages)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=HOME, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    if done.returncode or re.search(r"warning|error", said, re.IGNORECASE):
        sys.exit(said)
    wrong = list(broken(SITE))
    if wrong:
        sys.exit("\n".join(wrong))
    print(SITE / "index.html")


def _linked(text: str) -> str:
    """Turn links to files of the repository, which work where it is browsed, into links to their pages on the site."""
    for pattern, page in LINKS:
        text = re.sub(pattern, page, text)
    return text


def _write(name: str, content: bytes) -> None:
    path = HOME / "docs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _configure(pages: dict[str, dict[str, str]]) -> None:
    """Write the configuration, with the generated pages below their index."""
    text = (ROOT / "docs" / "zensical.toml").read_text().replace("SOURCE", str(ROOT / "src"))
    for folder, named in pages.items():
        below = ", ".join(f'"{folder}/{name}.md"' for name in named)
        text = text.replace(f'"{folder}/index.md"', below)
    (HOME / "zensical.toml").write_text(text)


def _papers(papers: list[Paper]) -> Iterator[tuple[str, str]]:
    """Yield the gallery, then one page for each paper: its README, its figures and its verdicts."""
    shown = [(paper, _kept(paper)) for paper in papers]
    yield "index", "\n".join(_gallery(shown))
    for paper, evidence in shown:
        readme = (paper.folder / "README.md").read_text()
        readme = readme.replace("../../../../docs/", "../")
        readme = re.sub(r"\[([^\]]*)\]\(\.\./\.\./example/[^)]*\)", r"\1", readme)
        yield paper.slug, "\n".join([readme.rstrip(), *_figures(paper, evidence), *_verdicts(paper, evidence)]) + "\n"  # fmt: skip


def _kept(paper: Paper) -> Evidence:
    """Return the records that are committed beside a paper, of the machine with the most."""
    return max(load_reference_evidence(paper), key=lambda evidence: len(evidence.current))


def _gallery(shown: list[tuple[Paper, Evidence]]) -> Iterator[str]:
    yield "# Papers that can run"
    yield ""
    yield "Each is a folder with an implementation to import and claims that are measured again. Verdicts and figures on these"
    yield "pages come from the records that are kept beside the code. [How to read a verdict](../verdicts.md)."
    for paper, evidence in shown:
        verdicts = evidence.verdicts()
        words = [verdicts[claim.id].word for claim in paper.papers_claims]
        counts = ", ".join(f"{words.count(word)} {_phrase(word)}" for word in Word if word in words)
        yield ""
        yield f"## [{_text(paper.title)}]({paper.slug}.md)"
        yield ""
        yield f"{_text(', '.join(paper.authors))}, {paper.year}. Of {len(words)} claims: {counts}."
        drawn = next(_drawings(paper, evidence), None)
        if drawn:
            yield from ("", drawn[1])


def _phrase(word: Word) -> str:
    return {Word.HOLDS: "hold", Word.DIRECTION: "hold in direction only", Word.DOES_NOT_HOLD: "do not hold", Word.NOT_TESTABLE: "were not testable", Word.NOT_RUN: "were not run"}.get(word, str(word))  # fmt: skip


def _drawings(paper: Paper, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield the title of each figure that can be drawn, and its HTML."""
    for figure in paper.figures:
        records = [r for r in evidence.records_of(experiment_of_figure(paper, figure)) if r.status == "ok"]  # fmt: skip
        drawn = records and draw(figure, records, evidence.folder, machine=evidence.machine, here=False)  # fmt: skip
        if drawn and drawn.spec:
            svg = re.sub(r"\s*\n\s*", " ", svg_of(drawn.spec))
            yield (
                figure.title,
                (
                    f'<figure class="measured" role="group"><div class="wide" tabindex="0" role="img" '
                    f'aria-label="{_attribute(figure.description)}">{svg}</div><figcaption>{_attribute(figure.title)}. '
                    f"{_attribute(figure.description)}</figcaption></figure>"
                ),
            )


def _figures(paper: Paper, evidence: Evidence) -> Iterator[str]:
    drawings = list(_drawings(paper, evidence))
    if drawings:
        yield from ("", "## Figures from our records")
    for _, html in drawings:
        yield from ("", html)


def _verdicts(paper: Paper, evidence: Evidence) -> Iterator[str]:
    verdicts = evidence.verdicts()
    yield from ("", "## Verdicts")
    yield from ("", f"Measured on {evidence.machine}; version {paper.version} of the paper.")
    controls = [paper.claim(name) for name in paper.controls]
    for heading, claims in (
        ("What the paper says", paper.papers_claims),
        ("What we ask beyond the paper", paper.our_questions),
        ("Controls, in which the effect must be absent", controls),
    ):
        if claims:
            yield from ("", f"### {heading}", "", "| claim | place | agrees if | measured | verdict | scale |")  # fmt: skip
            yield "| --- | --- | --- | --- | --- | --- |"
            yield from (_row(claim, verdicts[claim.id]) for claim in claims)
    if paper.checks:
        yield from ("", "### Checks of our code", "", "| check | outcome |", "| --- | --- |")
        for check in paper.checks:
            yield f"| {_text(check.says)} | {outcome_of_check(verdicts[check.id])} |"


def _row(claim: Claim, verdict: Verdict) -> str:
    region = f"{claim.metric} {claim.region}" if claim.region else "all parts hold"
    measured = str(verdict.interval) if verdict.interval else "–"
    cells = (claim.says, claim.where, region, measured, str(verdict), claim.scale.kind)
    return "| " + " | ".join(map(_text, cells)) + " |"


def _text(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|&])", r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\&", "&amp;").replace("\\>", "&gt;")  # fmt: skip


def _attribute(text: str) -> str:
    return " ".join(text.split()).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _api(papers: list[Paper]) -> Iterator[tuple[str, str]]:
    """Yield a page for each room and each paper: everything that it exports, from its docstrings."""
    lines = ["# API", "", "Everything that a room or a paper exports. What is not here may change without notice.", ""]  # fmt: skip
    rooms = {wing: list(names) for wing, names in WINGS.items()}
    for wing, names in rooms.items():
        lines += [f"## {wing}", "", "| room | what for |", "| --- | --- |"]
        lines += [f"| [studiolo.{n}](studiolo.{n}.md) | {_summary(f'studiolo.{n}')} |" for n in names]  # fmt: skip
        lines += [""]
    lines += ["## Papers", "", "| folder | paper |", "| --- | --- |"]
    lines += [f"| [studiolo.papers.{p.slug}](studiolo.papers.{p.slug}.md) | {_text(p.title)} |" for p in papers]  # fmt: skip
    yield "index", "\n".join(lines) + "\n"
    modules = [f"studiolo.{name}" for names in rooms.values() for name in names]
    for module in (*modules, *(f"studiolo.papers.{paper.slug}" for paper in papers)):
        yield module, _module_page(module)


def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _summary(module: str) -> str:
    return _text((ast.get_docstring(ast.parse(_file(module).read_text())) or "").split("\n\n")[0])


def _module_page(module: str) -> str:
    tree = ast.parse(_file(module).read_text())
    names: list[str] = []
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                names = ast.literal_eval(value)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if not name.startswith("_"):
                names.append(name)
    parts = [f"# {module}", "", ast.get_docstring(tree) or "", ""]
    for name in names:
        parts += [*_described(module, name), ""]
    return "\n".join(parts)


def _described(module: str, name: str) -> list[str]:
    """Return Markdown for what a module exports: a directive for what has a docstring, else the line that defines it."""
    found = getattr(importlib.import_module(module), name)
    if callable(found) and getattr(found, "__module__", "").startswith("studiolo."):
        return [f"::: {found.__module__}.{found.__qualname__}"]
    tree = ast.parse(_file(module).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            package = module if _file(module).name == "__init__.py" else module.rpartition(".")[0]
            if node.module is None:
                return [f"::: {package}.{name}"]
            return _described(f"{package}.{node.module}" if node.level else str(node.module), name)
    lines = [ast.unparse(node) for node in tree.body if name in _bound(node)]
    shown = lines[0] if lines and len(lines[0]) < LONGEST else f"{name}: {type(found).__name__}"
    return [f"## {name}", "", "```python", shown, "```"]


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement assigns."""
    return {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }


class _Page(HTMLParser):
    """What a page links to, loads from elsewhere, and which places in it have a name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down one element."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") != "canonical":
            self.loads.append(given.get("href", ""))
        self.loads += [given[name] for name in ("src", "poster", "data") if given.get(name)]


def broken(site: Path) -> Iterator[str]:
    """Yield what is wrong with a site: links inside it that lead nowhere, and what pages load from elsewhere."""
    pages = {path.resolve(): _Page(path.read_text()) for path in site.rglob("*.html")}
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for address in page.loads:
            if urlsplit(address).netloc:
                yield f"{path.relative_to(site)} loads {address}"
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{path.relative_to(site)} links to {link}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:  # fmt: skip
                yield f"{path.relative_to(site)} links to {link}, where nothing has this name"


if __name__ == "__main__":
    build()
