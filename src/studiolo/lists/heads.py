"""The head of an item, cut into parts at links, separators, emphasis and brackets."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from studiolo.keys import Mention

from .authors import names_one, names_people
from .dates import VENUES, year_said
from .links import Piece
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


LABELS = frozenset({
    "abs", "abstract", "acl", "acm", "appendix", "article", "arxiv", "author's", "blog", "blogpost", "blog-post", "book", "bib", "bibtex",
    "bilibili", "caffe", "camera-ready", "card", "checkpoint", "checkpoints", "cite", "citation", "code", "codes", "colab", "close", "closed", "coming", "conference", "data", "dataset", "datasets", "demo", "demos",
    "doc", "docs", "doi", "download", "full", "github", "gitlab", "hf", "home", "homepage", "html", "http", "huggingface",
    "hugging-face", "ieee", "implementation", "intro", "jax", "keras", "issue", "journal", "letter", "link", "links", "log", "logs", "magazine", "matlab", "medium",
    "model", "models", "neurips", "news", "note", "notebook", "notes", "openreview", "official", "open", "overview", "page", "paper",
    "papers", "pdf", "personal", "poster", "post", "pr", "preprint", "pub", "publication", "pubmed", "pmc", "presentation", "proceedings", "project", "project-page", "ps", "pwc", "pytorch",
    "reddit", "repo", "report", "repository", "review", "site", "slides", "soon", "source", "springer", "stars", "summary", "supp",
    "supplement", "supplementary", "talk", "tensorflow", "tf", "thesis", "thread", "torch", "tutorial", "tweet", "twitter", "unofficial", "url", "video", "videos",
    "web", "webpage", "website", "weights", "wiki", "wikipedia", "writeup", "x", "youtube", "here", "this", "from",
}) | VENUES  # fmt: skip
# the same in Chinese, Japanese and Korean, where words are not set apart
_LABELS_UNSPACED = re.compile(
    r"(?:阅读|查看|点击|下载|官方|在线|论文|論文|原文|全文|文章|代码|代碼|源码|项目|链接|鏈接|主页|网页|官网|地址|解读|解讀|笔记|视频|知乎|博客|数据集|数据|"
    r"译文|翻译|中文|英文|コード|解説|논문|코드|링크|리뷰|pdf|arxiv|paper|code|github)+",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"((?:(?<=\s)|^)[-–—|·•‖/:]+(?=\s|$)|\s--\s|\u0000)")
_SEPARATES = re.compile(r"[-–—|·•‖/:\u0000]")
_NAMED = re.compile(
    r"[(\[]([A-Za-z][\w+-]*[A-Z\d][\w+-]*)[)\]]\s+(?=\S+ \S+ \S)"
)  # a name before a title
_NUMBERING = re.compile(
    r"\[(?!(?:19|20)\d\d\])\d{1,4}\]\s*|(?:\((?!(?:19|20)\d\d\))\d{1,4}\)|#\d{1,4}[.:]?|(?!(?:19|20)\d\d)\d{1,4}[.)、]|\d{1,2}(?:\.\d{1,2}){1,3}\.?(?=\s+[A-Z]))(?:\s+|$)"
    r"|\d{1,3}[.、](?=[A-Z]\w|[\[(（【])"
)
_DECORATION = re.compile(
    "(?:\\[[ xX/~-]\\]\\s+|#{2,6}(?=\\w)|#{1,6}(?=\\[)|[*+](?=\\d{1,3}[.)]\\s)|[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d\u200e\u200f\u2190-\u21ff\u23e9-\u23fa]+\\s*|:[a-z0-9_+-]{2,40}:\\s*)+"
)
# Org's and Logseq's: (to read), (reading), read
KEYWORD = re.compile(
    r"(?:(TODO|LATER|WAITING)|(DOING|NOW|STARTED|IN-PROGRESS)|DONE)(?=\s*:?\s)[ :]*"
)
_SHORTCODE = re.compile(r"\s*:[a-z][a-z0-9_+-]{1,40}:(?=\s|:|$)")
_LEADING_BRACKET = re.compile(r"[\[(（【{]([^\[\]()（）【】{}]{1,60})[\])）】}][:：]?\s*(?=\S|$)")
_LABEL_BEHIND = re.compile(r"^((?:\S+ ){4,}\S*\w)\W+(?:Link|Paper|PDF|URL|[Aa]r[Xx]iv)\s?[:：]?$")
_MOST = 300  # parts of a head; what stands behind them says nothing of its title
_ALL_BRACKETED = re.compile(r"\s*\[([^\[\]]{60,})\](?=\s*(?:$|\())")
_IN_BRACKETS = re.compile(r"\[([^\[\]]{2,40})\](?!\()")
HASHTAGS = re.compile(r"(?:(?<=\s)|^)#[^\W\d][\w/-]{0,60}(?=\s|$)")
SMALL_WORDS = frozenset(["and", "the", "v", "in", "with", "for", "to"])
_SMALL_WORD = re.compile(r"\d{1,3}|&|\+|and|the|v\d+|in|with|for|to")
_MARKS = str.maketrans(dict.fromkeys("[](){}\\:.,!：?*_`\"'“”/|【】（）", " "))
_ADDRESS = re.compile(r"https?://|www\.")
_LABEL_WITH_REMARK = re.compile(  # paper (no code yet)
    r"\[?(paper|pdf|code|arxiv|link|preprint|slides|video|poster|project)\s?\((?:no|not|coming|soon|without|to be)\b[^()\d]*\)\s*\]?",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W_]")
QUOTED = re.compile(r"[\"“„«‘《「]([^\"“”„«»《》「」\x00]{3,400})(?:[\"”»》」]|’(?!\w))")
_QUOTED_WHOLE = re.compile(
    r"(?<![^\s(\[（【:：])[\"“](?=\S)[^\"“”\x00]{3,400}(?<=\S)[\"”](?=$|[\s.,;:)\]])"
)
_GLUE = "\ue0fd"  # stands for a space while words are cut
NUMBER = re.compile(r"\[?\d{1,4}\]?[.)]?")
_BARE_ID = re.compile(r"(?:arxiv:?\s*)?(?:\d{4}\.\d{4,5}|[a-z-]+/\d{7})(?:v\d+)?", re.IGNORECASE)


def is_label(text: str) -> bool:
    """Whether a link's text only says what kind of thing it leads to: `[pdf]`, `code`, `here`."""
    if ")" in text and _LABEL_WITH_REMARK.fullmatch(text):
        return True
    last = text[text.rfind(" ") + 1 :].lower()
    bare = last.rstrip("0123456789")
    if bare.isalpha() and bare not in LABELS and bare not in SMALL_WORDS and text.isascii():
        return False  # as of most titles
    words = text.translate(_MARKS).lower().split()
    if not words:
        return True
    if len(words) <= 4 and all(
        w in LABELS or w.rstrip("0123456789") in LABELS or _SMALL_WORD.fullmatch(w) for w in words
    ):
        return True
    if not text.isascii() and len(text) <= 20 and _LABELS_UNSPACED.fullmatch("".join(words)):
        return True
    return (
        len(words) <= 3 and len(text) < 60 and _BARE_ID.fullmatch(text.strip(" []()")) is not None
    )


def unbracketed(text: str) -> str:
    """Return words without brackets that stand around all of them."""
    inner = text[1:-1]
    whole = text[:1] + text[-1:] in ("()", "[]", "（）", "【】")
    return inner.strip() if whole and not any(char in inner for char in "()[]（）【】") else text


def without_leads(words: str, *, escaped: bool = False) -> str:
    """Return `words` without a check box, emoji, keyword and number before them, unless that is `escaped`."""
    words = words.lstrip()
    for lead in (_DECORATION, KEYWORD, _DECORATION, _NUMBERING, _DECORATION)[: 1 if escaped else 5]:
        if match := lead.match(words):
            words = words[match.end() :]
    return words


_BREAK = re.compile(
    rb"(?<! ) {2,}+\n|(?<=\))\n(?=[A-Z])|(?<=\*\*)\n(?=[ \t]*[A-Z])|\n[ \t]*(?=[A-Z]{3,10} (?:19|20)\d\d\s*(?:\n|$|\[))|\\[ \t]*\n|<br\s{0,3}/?>|</?(?:td|th|p|li|tr|h\d)(?:\s[^<>]{0,300})?>",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(
    rb"(?P<mark>\*{2,4}|(?<!\w)__)(?=[^\s*])(?P<bold>(?:(?!(?P=mark)).)+?)(?<=\S)(?P=mark)"
    rb"|<(?P<tag>b|strong)>(?P<html>[^<]{1,2000})</(?P=tag)>"
    rb"|(?<![\w*\\])\*(?=[^\s*])(?P<italic>(?:[^*\\]|\\.)+)(?<=\S)\*(?![\w*])|(?<![\w\\])_(?=[^\s_])(?P<line>[^_]+)(?<=\S)_(?!\w)"
    rb"|(?<!`)`(?P<code>[^`]+)`(?!`)",
    re.DOTALL,
)
_SET_OFF_BEFORE = re.compile(rb"(?:^|[*_.,;:|)\]\"\x9d!?\x00-]|<br>|\xef\xbc\x8c)\s*$")
_GLUED_BEFORE = re.compile(  # a word that needs another behind it
    rb"(?:^|[\s(/-])(?:a|an|and|as|at|by|for|from|in|is|of|on|or|the|to|use|uses|using|via|vs\.?|with|[a-z]+:)\s*$|[\w(/-]$"
)
_TAGS_ON = re.compile(rb"\s*(?:$|[`\[(*_|])")
_SENTENCE_BEFORE = re.compile(rb"[.)\]|]\s*$")
_SET_OFF_BEHIND = re.compile(rb"\s*(?:$|[.,;:|(\[\"\x00-]|<br|\xef\xbc)")


_LOWER = re.compile(rb"\s*(?:(?!ar[Xx]iv|in )[a-z]|\xc3[\x9f-\xbf])")
_WORD = re.compile(rb"[^\W\d_]|[\x80-\xff]")
_OPEN = ("[", "(", "（", "【")
_CLOSE = ("]", ")", "）", "】")
_LISTED = re.compile(r"(?:,|;|&|\band|\bby)$")
_LISTS_ON = re.compile(r"[,;&、]|and\b")
_OPENED = re.compile(r"(?<![\s,;])[\s,;]*[\[(（【]$|^[\[(（【]$")


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
        named = _NAMED.match(words)
        first = not any(part.is_link for part in self.parts)
        if named and first and not year_said(named[1], aside=True):
            self.add(Part(named[1], "["))
            words = words[named.end() :]
        aside = self.depth > 0 or (
            words[:1] in _OPEN and words[-1:] in _CLOSE and not words[1:-1].isdigit()
        )
        behind = before.rstrip()
        runs_on = behind[-4:].decode("utf-8", "ignore")[-1:].isalnum()
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
                if not self._set_off(data, at, match, bold is not None, len(words.split())):
                    continue
                self.words(data[at : match.start()])
                at = match.end()
                bracketed = words[:1] in _OPEN and words[-1:] in _CLOSE
                words = words[1:-1].strip() if bracketed else words
                words = self._leads(without_leads(_SHORTCODE.sub("", words))) if bold else words
                if words and (self.parts or not NUMBER.fullmatch(words)):
                    italic = bool(match["italic"] or match["line"])
                    code = match["code"] is not None
                    lead = "[" if bracketed else ""
                    self.add(Part(words, lead, bold=bold is not None, italic=italic, code=code))
        self.words(data[at:])

    def _leads(self, text: str) -> str:
        """Add what stands in brackets before anything else, and return the words behind it."""
        while not self.begun and (bracket := _LEADING_BRACKET.match(text)):
            inside = without_leads(bracket[1].strip())
            if _LETTER.search(inside):
                self.add(Part(inside, "["))
            text = without_leads(text[bracket.end() :])
        return text

    def _set_off(
        self, data: bytes, at: int, match: re.Match[bytes], bold: bool, words: int
    ) -> bool:
        """Whether emphasised words stand for themselves, and are not a few words of a sentence."""
        start, end = match.span()
        if data[start - 1 : start] == b'"' or data[start - 3 : start] == b"\xe2\x80\x9c":
            return False  # what is quoted: "**Title.**"
        if match["code"] and year_said(match["code"].decode("utf-8", "replace"), aside=True):
            return True
        opens = _SET_OFF_BEFORE.search(data, max(at, start - 20), start) is not None or (
            at > 0 and not data[at:start].strip()
        )
        closes = _SET_OFF_BEHIND.match(data, end) is not None
        if bold:
            goes_on = _LOWER.match(data, end) is not None
            first = _SENTENCE_BEFORE.search(data, max(at, start - 20), start) or not _WORD.search(
                data, at, start
            )
            alone = opens and not goes_on and (closes or bool(first))
            return alone or (words > 3 and (opens or not goes_on))
        code_behind = (
            match["code"] is not None
            and bool(self.parts)
            and not data[at:start].strip()
            and _TAGS_ON.match(data, end) is not None
        )
        behind_bold = bool(self.parts) and self.parts[-1].bold and not data[at:start].strip()
        people = (opens or behind_bold) and not closes and match["italic"] is not None
        if people and names_people(plain_words(match["italic"])):
            return True
        tag = match["code"] is not None and _TAGS_ON.match(data, end) and not _GLUED_BEFORE.search(data, at, start)  # fmt: skip
        return bool((opens and closes) or code_behind or tag or (closes and words > 3))

    def words(self, data: bytes) -> None:
        """Add words without emphasis of their own."""
        words = strip_marks(data)
        fresh = not self.depth
        if not fresh:
            words = words.lstrip(")]）】 ")
        if not self.parts:
            words = without_leads(words, escaped=b"\\" in data[:12])
        if "#" in words:
            words = HASHTAGS.sub("", words)
        if ":" in words:
            words = _SHORTCODE.sub("", words)
        if words.strip() in (",", "&", ";", "、") and self.parts:  # between people
            self.parts.append(Part("", ","))
            return
        opened = sum(words.count(char) for char in _OPEN)
        self.depth = max(0, opened - sum(words.count(char) for char in _CLOSE))
        if "[" in words and b"\\" not in data:  # [code], [closed]: labels that lost their links
            words = _IN_BRACKETS.sub(_without_label, words)
        if not self.begun and (whole := _ALL_BRACKETED.match(words)):
            words = whole[1] + words[whole.end() :]
        if '"' in words or "“" in words:
            words = _QUOTED_WHOLE.sub(_glued, words)
        pieces = _SEPARATOR.split(words) if _SEPARATES.search(words) else [words]
        pieces = [piece.replace(_GLUE, " ") for piece in pieces[: 2 * _MOST + 1]]
        for i in range(min(len(pieces) - 1, 8), 1, -2):  # Long Title? : A Survey
            named = i == 2 and len(pieces[0].split()) < 3 and len(pieces[2].split()) > 2
            if pieces[i - 1].strip() == ":" and (
                len(pieces[i - 2].split()) > 6
                or (
                    named
                    and not self.parts
                    and not (pieces[0].strip() + pieces[2].lstrip())[:1].islower()
                    and pieces[2].lstrip()[:1].isupper()
                )
            ):
                pieces[i - 2 : i + 1] = [f"{pieces[i - 2].rstrip()}: {pieces[i].lstrip()}"]
        for i in range(0, len(pieces), 2):
            text = " ".join(pieces[i].split()).strip("*~ ")
            lead = pieces[i - 1].strip() if i else ":" if text.startswith((": ", "：")) else ""
            text = self._leads(text)
            if self.depth and i == len(pieces) - 1:
                text = _OPENED.sub("", text)
                if self.parts and text[:1] in _OPEN and text.count(text[0]) == 1:  # and closed behind a link
                    text, lead = text[1:].lstrip(), "["
            self.add(Part(text if _LETTER.search(text) else "", lead))


def _glued(quoted: re.Match[str]) -> str:
    """Keep together what is quoted, unless it is cut to say when or by whom: `"Title - 2019"`."""
    pieces = _SEPARATOR.split(quoted[0])
    whole = len(pieces) > 1 and not any(map(year_said, pieces[2::2]))
    return quoted[0].replace(" : ", ": ").replace(" ", _GLUE) if whole else quoted[0]


def _without_label(match: re.Match[str]) -> str:
    label = is_label(match[1]) and not year_said(match[1], aside=True)
    return "\0" if label else match[0]


def cut(data: bytes, pieces: list[Piece]) -> list[Part]:
    """Return the parts of a head, `data` with the links `pieces`."""
    masked = data
    if b"\n" in data or b"<" in data:
        masked = _BREAK.sub(lambda m: b"\0".ljust(len(m[0])), data)
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
    return [part for part in _with_sentences(cutter.parts) if part.text or part.is_link]


def _goes_on(bold: str, part: Part) -> bool:
    """Whether words behind bold ones are the rest of a title: `**More Than a Name**: Its Title`."""
    return (
        part.lead == ":"
        and len(bold.split()) > 2
        and len(part.text.split()) <= 18
        and part.text[0].isupper()
        and not (part.bold or part.italic or part.code or part.text.endswith("."))
        and not (year_said(part.text) or is_label(part.text) or names_people(part.text))
    )


def _goes_behind_dash(last: Part, part: Part, behind: Part | None) -> bool:
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


def _with_dots(parts: list[Part]) -> list[Part]:
    """Put together people whom dots set apart: `Net: Ada Some · Bo Other · Cy Third`."""
    if not any(part.lead == "·" for part in parts):
        return parts
    whole: list[Part] = []
    run: list[Part] = []
    for part in [*parts, Part("")]:
        if run and not (part.lead == "·" and _is_person(part)):
            listed = len(run) > 2 and whole
            together = [replace(run[0], text=", ".join(one.text for one in run))]
            whole += together if listed else run
            run = []
        if run or _is_person(part):
            run.append(part)
        else:
            whole.append(part)
    return whole[:-1]


def _is_person(part: Part) -> bool:
    return not part.is_link and names_one(part.text.rstrip("."))


def _with_sentences(parts: list[Part]) -> list[Part]:
    """Put links that stand within a sentence and lead to no paper back into it, and those of people into their list."""
    parts = _with_dots(parts)
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
        opens = part.lead == "\0" or (
            behind is not None and _LISTS_ON.match(behind.lead + behind.text)
        )
        person = inner and (listed or opens) and names_one(part.text)
        if inner and part.runs_on and year_said(last.text):
            part.runs_on = False  # 2022 [Its Title](…)
        sentence = inner and part.runs_on and not year_said(part.text)
        if joins and not (part.is_link or part.lead or part.bold):
            last.text += part.text if part.text[0] in ",;" else f" {part.text}"
            joins = False
        elif not last.is_link and last.text and not last.bold and ((person and listed) or sentence):
            last.text, joins = f"{last.text}{part.lead} {part.text}", True
        elif last.bold and not last.is_link and not part.is_link and _goes_on(last.text, part):
            last.text = f"{last.text}: {part.text}"
        elif _goes_behind_dash(last, part, behind):
            last.text = f"{last.text} {part.lead} {part.text}"
        else:
            whole.append(Part(part.text, part.lead) if person else part)
            joins = bool(person)
    return whole
