"""A text cut into words, separators, and what stands in brackets, emphasis and tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .template import Group, Node, Words


_PAIRS = {
    "(": ")", "[": "]", "{": "}", "“": "”", "«": "»", "（": "）", "【": "】", "《": "》", "「": "」", "『": "』", "\\[": "]",
    "\\(": ")", "<": ">",
}  # fmt: skip
_CLOSES = {*_PAIRS.values(), "\\]", "\\)"}
_TOKEN = re.compile(
    r"""(?P<tag><!--.*?-->|</?[a-zA-Z][^<>]{0,500}>)
    |(?P<escaped>\\[\[\]()])
    |(?P<bracket><(?=$|[^\w/!?])|(?<!\w)>(?!\w)|[()\[\]{}“”«»（）【】《》「」『』])
    |(?P<toggle>\*{1,3}|~~|`+|"|(?<![^\W_])_{1,3}|_{1,3}(?![^\W_]))
    |(?P<sep>(?:\s|\\(?=\n)|[,.;:!?，。；：、|·•/‖–—-](?![^\W_])|(?<!\w)[-–—|·•/‖](?=\s))+)
    |(?P<word>(?:\\.|[^\s()\[\]{}“”«»（）【】《》「」『』*_`"<\\,.;:!?，。；：、]|(?<=\w)[,.:/!?;_](?=[^\W_]))+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class Mark:
    """A bracket, an emphasis mark or a tag on its way into a tree."""

    text: str
    kind: str
    opens: bool
    closes: bool


def plain_tokens(text: str, start: int, end: int) -> list[Node | Mark]:
    """Return a stretch of text without links as words, separators and marks."""
    out: list[Node | Mark] = []
    for match in _TOKEN.finditer(text, start, end):
        kind, words = match.lastgroup, match[0]
        if kind == "sep":
            out.append(Words("sep", words))
        elif kind == "tag":
            if re.match(r"<br", words, re.IGNORECASE):
                out.append(Words("sep", words))
            elif words.startswith("<!") or re.match(r"<(?:img|a)\b", words, re.IGNORECASE):
                out.append(Words("word", words))
            else:
                name = re.sub(r"[</>]|\s.*", "", words).lower()
                out.append(Mark(words, f"<{name}>", words[1] != "/", words[1] == "/"))
        elif kind in ("bracket", "escaped"):
            closes = words in _CLOSES
            out.append(Mark(words, words.lstrip("\\"), not closes, closes))
        elif kind == "toggle":
            before, after = text[: match.start()][-1:], text[match.end() :][:1]
            opens = bool(after.strip()) and (not before.isalnum() or words[0] in "*`")
            closes = bool(before.strip())
            out.append(Mark(words, words, opens, closes))
        else:
            out.append(Words("word", words))
    return out


def tree(tokens: Sequence[Node | Mark]) -> list[Node]:
    """Return the tokens with what stands in brackets or emphasis as groups; marks without their other half are words."""
    stack: list[tuple[Mark | None, list[Node]]] = [(None, [])]
    for token in tokens:
        if not isinstance(token, Mark):
            stack[-1][1].append(token)
            continue
        if token.closes:
            depth = next(
                (
                    i
                    for i in range(len(stack) - 1, 0, -1)
                    if (mark := stack[i][0]) is not None and _match(mark, token)
                ),
                None,
            )
            top = stack[-1][0]
            if token.text.startswith("</") and top is not None and top.text[0] == "<":
                depth = len(stack) - 1  # <sup><sub>…</sup></sub> as browsers read it
            if depth is not None:
                while len(stack) - 1 > depth:
                    _, inner = stack.pop()
                    stack[-1][1].extend([Words("word", ""), *inner])
                opener, inner = stack.pop()
                assert opener is not None
                stack[-1][1].append(Group(opener.text, token.text, inner))
                continue
        if token.opens:
            stack.append((token, []))
        else:
            stack[-1][1].append(Words("word", token.text))
    while len(stack) > 1:
        _, inner = stack.pop()
        stack[-1][1].extend([Words("word", ""), *inner])
    return stack[0][1]


def _match(opener: Mark, closer: Mark) -> bool:
    if opener.kind in _PAIRS:
        return _PAIRS[opener.kind] == closer.kind
    return opener.kind == closer.kind
