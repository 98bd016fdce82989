"""The head of an item, cut into parts at links, separators, emphasis and brackets.

`cut` takes three steps:

1. What ends a line of the head is marked (`_BREAKS`).
2. The head is cut at its links; the words between two links at emphasis that stands for itself (`_stands_alone`), and the
   words around that at separators (`_pieces`).
3. What these cuts took apart wrongly is put together again: people set apart by dots, and what `_joined` names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from studiolo.keys import Mention

from .authors import names_one, names_people
from .citations import LOWER_WORD
from .dates import year_said
from .labels import is_label
from .leads import HASHTAGS, NUMBER, SHORTCODE, without_leads
from .links import Piece
from .places import some
from .words import drop_images, plain_words, strip_marks


# where or when it appeared; whose it is; a word for its kind; what may be a title or a name
Role = Literal["when", "who", "label", "words"]


@dataclass(slots=True)
class Part:
    """A stretch of a head.

    Attributes:
        lead: what sets it off from the part before: a separator, `[` for words in brackets, "" for nothing.
        aside: it is a link in brackets of its own: ([pdf](…)), [[pdf]](…).
        bold, italic, code: how it is emphasised, if all of it is.
        runs_on: it is a link within a sentence: see [this](…).
        role: what it is by the habits of its list, where it does not say so itself.
    """

    text: str
    lead: str = ""
    link: Mention | None = None
    is_link: bool = False
    aside: bool = False
    bold: bool = False
    italic: bool = False
    code: bool = False
    runs_on: bool = False
    role: Role | None = None

    @property
    def is_paper(self) -> bool:
        """Whether it is a link to a paper."""
        return self.link is not None and self.link.key.names_paper


_MOST = 300  # parts of a head; what stands behind them says nothing of its title


def cut(data: bytes, pieces: list[Piece]) -> list[Part]:
    """Return the parts of a head, `data` with the links `pieces`."""
    masked = data
    if b"\n" in data or b"<" in data:
        masked = _BREAKS.sub(lambda m: b"\0".ljust(len(m[0])), data)
    cutter, at = _Cutter(), 0
    for piece in pieces:
        if piece.start < at:
            continue
        if len(cutter.parts) > _MOST:
            break
        before = masked[at : piece.start]
        cutter.text(before)
        if piece.kind != "image":
            cutter.link(data, piece, before)
        at = piece.end
    cutter.text(masked[at:])
    return [part for part in _joined(_with_dots(cutter.parts)) if part.text or part.is_link]


# --- 1. breaks

_BREAKS = re.compile(
    b"|".join(
        (
            rb"(?<! ) {2,}+\n",  # Markdown's own: two spaces
            rb"(?<=\))\n(?=[A-Z])",  # behind a link: people on the next line
            rb"(?<=\*\*)\n(?=[ \t]*[A-Z])",  # behind a title in bold
            rb"\n[ \t]*(?=[A-Z]{3,10} (?:19|20)\d\d\s*(?:\n|$|\[))",  # before a line that is a venue and a year
            rb"\\[ \t]*\n",  # Markdown's own: a backslash
            rb"<br\s{0,3}/?>",  # HTML's own
            rb"</?(?:td|th|p|li|tr|h\d)(?:\s[^<>]{0,300})?>",  # between blocks of HTML
        )
    ),
    re.IGNORECASE,
)

# --- 2. links, emphasis, separators, brackets

_EMPHASIS = re.compile(
    b"|".join(
        (
            rb"(?P<mark>\*{2,4}|(?<!\w)__)(?=[^\s*])(?P<bold>(?:(?!(?P=mark)).)+?)(?<=\S)(?P=mark)",
            rb"<(?P<tag>b|strong)>(?P<html>[^<]{1,2000})</(?P=tag)>",
            rb"(?<![\w*\\])\*(?=[^\s*])(?P<italic>(?:[^*\\]|\\.)+)(?<=\S)\*(?![\w*])",
            rb"(?<![\w\\])_(?=[^\s_])(?P<line>[^_]+)(?<=\S)_(?!\w)",
            rb"(?<!`)`(?P<code>[^`]+)`(?!`)",
        )
    ),
    re.DOTALL,
)
# what stands before or behind emphasis that stands for itself
_OPENS = re.compile(rb"(?:^|[*_.,;:|)\]\"\x9d!?\x00-]|<br>|\xef\xbc\x8c)\s*$")
_CLOSES = re.compile(rb"\s*(?:$|[.,;:|(\[\"\x00-]|<br|\xef\xbc)")
_SENTENCE_BEFORE = re.compile(rb"[.)\]|]\s*$")
_GOES_ON_SMALL = re.compile(rb"\s*(?:(?!ar[Xx]iv|in |by [A-Z])[a-z]|\xc3[\x9f-\xbf])")
_WORD = re.compile(rb"[^\W\d_]|[\x80-\xff]")
_GLUED_BEFORE = re.compile(  # a word that needs another behind it
    rb"(?:^|[\s(/-])(?:a|an|and|as|at|by|for|from|in|is|of|on|or|the|to|use|uses|using|via|vs\.?|with|[a-z]+:)\s*$|[\w(/-]$"
)
_LEADS_ON = re.compile(rb"\b(?:and|as|by|from|in|of|or|see|the|to|with)$", re.IGNORECASE)
_TAGS_ON = re.compile(rb"\s*(?:$|[`\[(*_|])")

_SEPARATOR = re.compile(r"((?:(?<=\s)|^)[-–—|·•‖/:]+(?=\s|$)|\s--\s|[\u0000\u0001])")
_SEPARATES = re.compile(r"[-–—|·•‖/:\u0000\u0001]")
_ADDRESS = re.compile(r"https?://|www\.")
_LETTER = re.compile(r"[^\W_]")
_NAME_FIRST = re.compile(r"[(\[]([A-Za-z][\w+-]*[A-Z\d][\w+-]*)[)\]]\s+(?=\S+ \S+ \S)")
_PRESENTS = re.compile(r"(?:[A-Z][\w.'’-]* ){1,4}presents")
_LABEL_BEHIND = re.compile(r"^((?:\S+ ){4,}\S*\w)\W+(?:Link|Paper|PDF|URL|[Aa]r[Xx]iv)\s?[:：]?$")
_OPEN = ("[", "(", "（", "【")
_CLOSE = ("]", ")", "）", "】")
_BRACKET_FIRST = re.compile(r"[\[(（【{]([^\[\]()（）【】{}]{1,60})[\])）】}][:：]?\s*(?=\S|$)")
_BRACKETED_WHOLE = re.compile(r"\s*\[([^\[\]]{60,})\](?=\s*(?:$|\())")
_IN_BRACKETS = re.compile(r"\[([^\[\]]{2,40})\](?!\()")
_OPENED = re.compile(r"(?<![\s,;])[\s,;]*[\[(（【]$|^[\[(（【]$")
_OPENED_WORDS = re.compile(r"(?<=\w)\s\(([^()\[\]]{3,100}),$")  # Its Title (2019, [pdf](…))
_QUOTED_WHOLE = re.compile(
    r"(?<![^\s(\[（【:：])[\"“](?=\S)[^\"“”\x00]{3,400}(?<=\S)[\"”](?=$|[\s.,;:)\]])"
)
_WIDE_GAP = re.compile(r"(?<=[\w)?!])(?<!\b\w)(?<!\b\w\w) {2,}(?!(?:is|are|was|were|has)\b)(?=\w)")
_REMARK = "\1"  # stands before words that spaces alone set off
_SENTENCE = 20  # words; a title is shorter
_GLUE = "\ue0fd"  # stands for a space while words are cut


class _Cutter:
    """Cuts a head; `depth` counts the brackets that are open, `begun` says that more than leads were read."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.depth = 0
        self.begun = False

    def add(self, part: Part) -> None:
        """Add a part; one that says nothing only hands its separator on."""
        last = self.parts[-1] if self.parts else None
        if last is not None and not last.text and not last.is_link:
            part.lead = part.lead or last.lead
            self.parts.pop()
        self.parts.append(part)
        self.begun = self.begun or bool(part.text and part.lead != "[")

    def link(self, data: bytes, piece: Piece, before: bytes) -> None:
        """Add a link, which stands behind the words `before`."""
        inner = data[slice(*piece.text)]
        words = plain_words(drop_images(inner) if b"![" in inner else inner)
        words = words.removeprefix("<").removesuffix(">") if words.startswith("<http") else words
        bare = piece.kind in ("bare", "auto") or (words == piece.url and piece.kind != "wiki")
        if bare or _ADDRESS.match(words):
            if self.parts and not self.parts[-1].is_link:
                self.parts[-1].text = _LABEL_BEHIND.sub(r"\1", self.parts[-1].text)
            self.add(Part("", "", piece.mention, True, self.depth > 0))
            return
        words = without_leads(words, escaped=True) or words
        presented = bool(self.parts) and _PRESENTS.fullmatch(self.parts[-1].text) is not None
        if presented:
            self.parts.pop()  # Someone presents [Its Title](…)
        named = _NAME_FIRST.match(words)  # [[Net] Its Title](…)
        first = not any(part.is_link for part in self.parts)
        if named and first and not year_said(named[1], aside=True):
            self.add(Part(named[1], "["))
            words = words[named.end() :]
        aside = self.depth > 0 or (
            words[:1] in _OPEN and words[-1:] in _CLOSE and not words[1:-1].isdigit()
        )
        behind = before.rstrip()
        bracketed = words[:1] in _OPEN and not (words[1:-1].isdigit() or _LEADS_ON.search(behind))
        set_off = presented or bracketed
        runs_on = not set_off and behind[-4:].decode("utf-8", "ignore")[-1:].isalnum()
        bold = behind.endswith((b"**", b"<b>"))
        self.add(Part(words, "", piece.mention, True, aside, bold, runs_on=runs_on))

    def text(self, data: bytes) -> None:
        """Add the words between two links."""
        if not data.strip():
            return
        at = 0
        if b"*" in data or b"_" in data or b"`" in data or b"<" in data:
            for match in _EMPHASIS.finditer(data):
                if len(self.parts) > _MOST:
                    return
                bold = match["bold"] or match["html"]
                words = plain_words(bold or match["italic"] or match["line"] or match["code"])
                if not self._stands_alone(data, at, match, len(words.split())):
                    continue
                self.words(data[at : match.start()])
                at = match.end()
                bracketed = words[:1] in _OPEN and words[-1:] in _CLOSE
                words = words[1:-1].strip() if bracketed else words
                words = self._leads(without_leads(SHORTCODE.sub("", words))) if bold else words
                if words and (self.parts or not NUMBER.fullmatch(words)):
                    italic = bool(match["italic"] or match["line"])
                    code = match["code"] is not None
                    lead = "[" if bracketed else ""
                    self.add(Part(words, lead, bold=bold is not None, italic=italic, code=code))
        self.words(data[at:])

    def _stands_alone(self, data: bytes, at: int, match: re.Match[bytes], words: int) -> bool:
        """Whether emphasis stands for itself, and does not stress a few words of a sentence; `at` is where the last part ended."""
        start, end = match.span()
        if data[start - 1 : start] == b'"' or data[start - 3 : start] == b"\xe2\x80\x9c":
            return False  # what is quoted: "**Title.**"
        code = match["code"]
        if code and year_said(code.decode("utf-8", "replace"), aside=True):
            return True
        near = max(at, start - 20)
        directly = not data[at:start].strip()  # behind the part before
        opens = _OPENS.search(data, near, start) is not None or (at > 0 and directly)
        closes = _CLOSES.match(data, end) is not None
        if match["bold"] or match["html"]:
            goes_on = _GOES_ON_SMALL.match(data, end) is not None
            first = _SENTENCE_BEFORE.search(data, near, start) or not _WORD.search(data, at, start)
            alone = opens and not goes_on and (closes or bool(first))
            return alone or (words > 3 and (opens or not goes_on))
        if closes and (opens or words > 3):
            return True
        if match["italic"] and not closes:  # Its Title *Some, Other* ICML 2019
            behind_bold = bool(self.parts) and self.parts[-1].bold and directly
            return (opens or behind_bold) and names_people(plain_words(match["italic"]))
        tags_on = code is not None and _TAGS_ON.match(data, end) is not None  # `tag` `other`
        behind = bool(self.parts) and directly
        return tags_on and (behind or not _GLUED_BEFORE.search(data, at, start))

    def _leads(self, text: str) -> str:
        """Add what stands in brackets before anything else, and return the words behind it."""
        while not self.begun and (bracket := _BRACKET_FIRST.match(text)):
            inside = without_leads(bracket[1].strip())
            if _LETTER.search(inside):
                self.add(Part(inside, "["))
            text = without_leads(text[bracket.end() :])
        return text

    def words(self, data: bytes) -> None:
        """Add words without emphasis of their own."""
        words = strip_marks(data)
        if self.depth:
            words = words.lstrip(")]）】 ")
        if not self.parts:
            words = without_leads(words, escaped=b"\\" in data[:12])
        if "#" in words:
            words = HASHTAGS.sub("", words)
        if ":" in words:
            words = SHORTCODE.sub("", words)
        if words.strip() in (",", "&", ";", "、") and self.parts:  # between people
            self.parts.append(Part("", ","))
            return
        opened = sum(words.count(char) for char in _OPEN)
        self.depth = max(0, opened - sum(words.count(char) for char in _CLOSE))
        if "[" in words and b"\\" not in data:  # [code], [closed]: labels that lost their links
            words = _IN_BRACKETS.sub(_without_label, words)
        if not self.begun and (whole := _BRACKETED_WHOLE.match(words)):
            words = whole[1] + words[whole.end() :]
        if "  " in words:
            words = _with_remark_apart(words)
        pieces = _pieces(words, first=not self.parts)
        for i in range(0, len(pieces), 2):
            text = " ".join(pieces[i].split()).strip("*~ ")
            lead = pieces[i - 1].strip() if i else ":" if text.startswith((": ", "：")) else ""
            lead = "[" if lead == _REMARK else lead
            text = self._leads(text)
            if self.depth and i == len(pieces) - 1:
                text = _OPENED.sub("", text)
                if remark := _OPENED_WORDS.search(text):
                    self.add(Part(text[: remark.start()], lead))
                    text, lead = remark[1], "["
                if self.parts and text[:1] in _OPEN and text.count(text[0]) == 1:
                    text, lead = text[1:].lstrip(), "["  # closed behind a link
            self.add(Part(text if _LETTER.search(text) else "", lead))


def _pieces(words: str, *, first: bool) -> list[str]:
    """Return words cut at separators, the separators between them; not within a quotation, nor at a colon within a title."""
    if '"' in words or "“" in words:
        words = _QUOTED_WHOLE.sub(_glued, words)
    pieces = _SEPARATOR.split(words) if _SEPARATES.search(words) else [words]
    pieces = [piece.replace(_GLUE, " ") for piece in pieces[: 2 * _MOST + 1]]
    for i in range(min(len(pieces) - 1, 8), 1, -2):
        before, separator, behind = pieces[i - 2 : i + 1]
        if separator.strip() == ":" and (
            len(before.split()) > 6  # Its Long Title? : A Survey
            or (i == 2 and first and _named_by_colon(before, behind.lstrip()))
        ):
            pieces[i - 2 : i + 1] = [f"{before.rstrip()}: {behind.lstrip()}"]
    return pieces


def _with_remark_apart(words: str) -> str:
    """Mark where spaces alone divide a headline from a sentence: `Its Title in Capitals   a remark in small letters`."""
    for gap in some(_WIDE_GAP.finditer(words), 10):
        before, behind = words[: gap.start()], words[gap.end() :]
        headline = not LOWER_WORD.search(f" {before}")
        told = len(before.split()) > 3 or len(behind.split()) > _SENTENCE
        if (
            headline
            and told
            and not names_people(before)
            and len(LOWER_WORD.findall(f" {behind}")) > 1
        ):
            return f"{before} {_REMARK} {behind}"
    return words


def _named_by_colon(name: str, title: str) -> bool:
    """Whether a colon with spaces around it stands in a title that begins with a name: `Net : Its Title`."""
    short = len(name.split()) < 3 and len(title.split()) > 2
    return short and title[:1].isupper() and not (name.strip() + title)[:1].islower()


def _glued(quoted: re.Match[str]) -> str:
    """Keep together what is quoted, unless it is cut to say when or by whom: `"Title - 2019"`."""
    pieces = _SEPARATOR.split(quoted[0])
    whole = len(pieces) > 1 and not any(map(year_said, pieces[2::2]))
    return quoted[0].replace(" : ", ": ").replace(" ", _GLUE) if whole else quoted[0]


def _without_label(match: re.Match[str]) -> str:
    label = is_label(match[1]) and not year_said(match[1], aside=True)
    return "\0" if label else match[0]


# --- 3. what was taken apart wrongly

_LISTED = re.compile(r"(?:,|;|&|\band|\bby)$")
_LISTS_ON = re.compile(r"[,;&、]|and\b")


def _with_dots(parts: list[Part]) -> list[Part]:
    """Put together people whom dots set apart: `Net: Ada Some · Bo Other · Cy Third`."""
    if not any(part.lead == "·" for part in parts):
        return parts
    whole: list[Part] = []
    run: list[Part] = []
    for part in [*parts, Part("")]:
        person = not part.is_link and names_one(part.text.rstrip("."))
        if run and not (person and part.lead == "·"):
            listed = len(run) > 2 and whole
            whole += [replace(run[0], text=", ".join(p.text for p in run))] if listed else run
            run = []
        (run if person else whole).append(part)
    return whole[:-1]


def _joined(parts: list[Part]) -> list[Part]:
    """Put together a list of people with links, a sentence with links, and a title with a colon or a dash in it."""
    whole: list[Part] = []
    joins = False  # what follows a link that was put back goes on there too
    for i, part in enumerate(parts):
        behind = parts[i + 1] if i + 1 < len(parts) else None
        last = whole[-1] if whole else None
        if last is None or not part.text:
            joins = False
            whole.append(part)
            continue
        inner = part.is_link and not part.is_paper and not part.aside and not is_label(part.text)
        listed = part.lead == "," or _LISTED.search(last.text) is not None
        person = inner and (listed or _opens_list(part, behind)) and names_one(part.text)
        if inner and part.runs_on and year_said(last.text):
            part.runs_on = False  # 2022 [Its Title](…)
        sentence = inner and part.runs_on and not year_said(part.text)
        if joins and not (part.is_link or part.lead or part.bold):
            last.text += part.text if part.text[0] in ",;" else f" {part.text}"
            joins = False
        elif not last.is_link and last.text and not last.bold and ((person and listed) or sentence):
            last.text, joins = f"{last.text}{part.lead} {part.text}", True
        elif last.italic and part.text[0] == "," and _lists_people(last, part):
            last.text += part.text.replace("*", "")  # *Ada Some, Bo Other*, Cy Third*: footnotes
        elif _goes_on_behind_colon(last, part):
            last.text = f"{last.text}: {part.text}"
        elif _goes_on_behind_dash(last, part, behind):
            last.text = f"{last.text} {part.lead} {part.text}"
        else:
            whole.append(Part(part.text, part.lead) if person else part)
            joins = person
    return whole


def _opens_list(part: Part, behind: Part | None) -> bool:
    """Whether a link begins a list of people: on a line of its own, or with a comma behind it."""
    return part.lead == "\0" or (
        behind is not None and _LISTS_ON.match(behind.lead + behind.text) is not None
    )


def _lists_people(*parts: Part) -> bool:
    texts = [part.text.replace("*", "") for part in parts]
    return not any(part.is_link for part in parts) and all(map(names_people, texts))


def _goes_on_behind_colon(last: Part, part: Part) -> bool:
    """Whether words behind bold ones are the rest of a title: `**More Than a Name**: Its Title`."""
    return (
        last.bold
        and part.lead == ":"
        and len(last.text.split()) > 2
        and len(part.text.split()) <= 18
        and part.text[0].isupper()
        and not (last.is_link or part.is_link or part.bold or part.italic or part.code)
        and not part.text.endswith(".")
        and not (year_said(part.text) or is_label(part.text) or names_people(part.text))
    )


def _goes_on_behind_dash(last: Part, part: Part, behind: Part | None) -> bool:
    """Whether words between a dash and a link are the rest of a title: `Its Long Title - The Rest [pdf](…)`."""
    return (
        part.lead in ("-", "–", "—", "--")
        and behind is not None
        and behind.is_link
        and not (last.is_link or last.bold or last.italic or part.is_link or part.bold)
        and not (part.italic or part.code)
        and len(last.text.split()) > 4
        and len(part.text.split()) > 3
        and part.text[0].isupper()
        and part.text[-1] not in ".,:;"
        and not (year_said(part.text, aside=True) or names_people(part.text))
        and not re.search(r"\b(?:19|20)\d\d\b", last.text + part.text)
    )
