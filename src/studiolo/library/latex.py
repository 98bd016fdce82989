"""Text to LaTeX for a bibliography: letters as commands that every BibTeX understands, and nothing that would run."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache


_ASCII = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_LONE = {
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
}  # BibTeX counts \{ as a brace that opens
_TYPED = {
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "‘": r"{\textquoteleft}",
    "’": r"{\textquoteright}",
    "\u00a0": " ",
    "Ű": r"{\H{U}}",  # pylatexenc writes it as Ú
    "ű": r"{\H{u}}",
    **{digit: digit for digit in "₀₁₂₃₄₅₆₇₈₉"},
}
_RUNS = re.compile(r"[\x00-\x7f]|[^\x00-\x7f]+")
_MATH = re.compile(r"(?<![\\$\w])\$(?=[^\s$])([^$]{1,300}?)(?<=[^\s$\\])\$(?![\w$])")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
# what formulas in titles are written with, beside the letters and signs that pylatexenc knows
_IN_MATH_TOO = """
    mathbb mathbf mathcal mathfrak mathrm mathsf mathit boldsymbol text textrm textit textbf frac sqrt sum prod int log ln exp
    max min sup inf lim arg det dim ker tilde hat bar vec dot ddot widetilde widehat overline underline left right big Big
    operatorname mathop limits ldots cdots dots to ast star circ prime ell quad qquad
"""
_IN_MATH = frozenset(_IN_MATH_TOO.split())


def to_latex(text: str) -> str:
    """Return text as LaTeX: accents and signs as commands, formulas as they are, everything else as it reads."""
    return _around_formulas(text, lambda words: _words(words, lone=not _is_balanced(text)))


def keeping_braces(title: str) -> str:
    """Return a title whose balanced braces outside of formulas keep its capitals as LaTeX, with these braces and no others."""

    def words(text: str) -> str:
        pieces = re.split(r"([{}])", text)
        return "".join(x if x in ("{", "}") else _words(x, lone=False) for x in pieces)

    return _around_formulas(title, words)


def keeping_capitals(title: str) -> str:
    """Return a title as LaTeX; words with capitals inside (FNet, BERT) are kept from being put in small letters."""
    lone = not _is_balanced(title)

    def capitals(text: str) -> str:
        return "".join(
            f"{{{_words(word, lone=lone)}}}"
            if _INNER_CAPITAL.search(word)
            else _words(word, lone=lone)
            for word in _WORDS.split(text)
        )

    return _around_formulas(title, capitals)


_WORDS = re.compile(r"(\s+|(?<=\w)[:,.;?!](?=\s|$))")
_INNER_CAPITAL = re.compile(r"\w.*[A-ZÀ-ÖØ-Þ]")


def _around_formulas(text: str, change: Callable[[str], str]) -> str:
    """Return text changed but for the formulas in it."""
    out, at = [], 0
    for match in _MATH.finditer(text):
        if _is_formula(match[1]):
            out += [change(text[at : match.start()]), match[0]]
            at = match.end()
    return "".join([*out, change(text[at:])])


def _is_balanced(text: str) -> bool:
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0


def _is_formula(text: str) -> bool:
    """Whether text between dollars is a formula that does nothing but print: no command that could run or read a file."""
    if not _is_balanced(text) or "\\{" in text or "\\}" in text or "%" in text or "#" in text:
        return False
    is_math = re.search(r"[\\^_=<>+*/|]|^\W*\w\W*$|^\w\(.*\)$|^\d[\d.,]*$", text) is not None
    return is_math and all(
        name in _IN_MATH or name in _signs() or not name.isalpha()
        for name in _COMMAND.findall(text)
    )


def _words(text: str, *, lone: bool) -> str:
    """Return words as LaTeX; where a brace stands alone in the whole text, `lone`, none may be counted."""
    ascii_ = {**_ASCII, **_LONE} if lone else _ASCII
    return "".join(
        ascii_.get(run, run) if run.isascii() else _encoded(run)
        for run in _RUNS.findall(unicodedata.normalize("NFC", text))
    )


def _encoded(run: str) -> str:
    return "".join(_TYPED.get(letter) or _encoder()(letter) for letter in run)


@lru_cache(maxsize=1)
def _encoder() -> Callable[[str], str]:
    """Return what writes one letter as LaTeX; one that would not be read back as itself stays as it is."""
    from pylatexenc.latex2text import LatexNodes2Text  # here: other commands do not need it
    from pylatexenc.latexencode import UnicodeToLatexEncoder

    encoder = UnicodeToLatexEncoder(
        replacement_latex_protection="braces-all",
        unknown_char_policy="keep",
        unknown_char_warning=False,
    )
    reader = LatexNodes2Text(math_mode="verbatim")

    @lru_cache(maxsize=4096)
    def encode(letter: str) -> str:
        latex: str = encoder.unicode_to_latex(letter)
        return latex if reader.latex_to_text(latex) == letter else letter

    return encode


@lru_cache(maxsize=1)
def _signs() -> frozenset[str]:
    """Return the names of the commands that only print a letter or a sign."""
    from pylatexenc.latexencode import get_builtin_uni2latex_dict

    return frozenset(
        name
        for latex in get_builtin_uni2latex_dict().values()
        for name in _COMMAND.findall(latex)
        if name.isalpha()
    )
