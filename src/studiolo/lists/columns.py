"""What the column of a table says, by its heading: one table of words for everybody who reads or writes tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal


Role = Literal[
    "title", "name", "authors", "year", "date", "venue", "saved", "tags", "notes", "about", "state", "url", "folder"
]  # fmt: skip

# role: the headings that mean it, strongest first. A date may be a paper's or a reader's: year says the one, saved the other.
_HEADINGS: dict[Role, str] = {
    "title": "title|titles|paper title|paper|papers|publication|publications|article|articles|work|works|reference"
    "|references|book|books|resource|resources|paper name|name|names|what|paper titles|title of paper|标题|论文|论文标题|论文名称|名字|名称|题目|文章",
    "name": "short name|model|models|model name|method|methods|framework|approach|system|method name|algorithm|abbreviation|abbr|acronym|alias|nickname",
    "authors": "authors|author|author s|by|people|作者",
    "year": "year|years|published|publish date|publish time|publish year|publication year|publication date|release date|released|pub date|pub year|date published|published on|submitted|submission date|conference year|pubyear|年份|年|发表时间|发表年份|发布时间|发布日期|发表日期",
    "date": "date|time|日期|时间",
    "venue": "venue|venues|conference|journal|publisher|published in|published at|pub|proceedings|venue year|source|会议|期刊|发表",
    "saved": "created|time added|timestamp|date added|added|added on|saved|saved on|saved at|date saved|when|read on|date read",
    "tags": "tags|tag|topics|topic|keywords|keyword|labels|label|categories|category|areas|area",
    "notes": "notes|note|comments|comment|remarks|remark|thoughts|takeaways|takeaway|summary|tl dr|tldr|description"
    "|extended|selection|review|why|笔记|备注|简介|说明",
    "about": "abstract|excerpt",
    "state": "state|status|read|already read|have i read|i read|done|finished|progress|reviewed|✅|✔|☑|已读|状态|读过|读",
    "url": "url|href|link|links|address|uri|链接|地址",
    "folder": "folder|collection|path",
}
_MEANS = {
    heading: (role, rank)
    for role, headings in _HEADINGS.items()
    for rank, heading in enumerate(headings.split("|"))
}
# the same in other languages, less strong than the headings above
_ELSEWHERE: dict[Role, str] = {
    "title": "titel|título|titulo|titre|titolo|titulos|título do artigo|タイトル|論文|論文名|제목|논문|название|статья|başlık|標題|論文標題",
    "authors": "autor|autoren|autores|auteur|auteurs|autore|autori|著者|저자|автор|авторы|yazar",
    "year": "jahr|año|ano|année|anno|出版年|発表年|연도|год|yıl|年度",
    "date": "datum|fecha|data|時間|날짜|дата|tarih",
    "notes": "notizen|notiz|anmerkungen|kommentar|notas|comentarios|remarques|note di lettura|メモ|備考|메모|비고|заметки|notlar",
    "state": "gelesen|leído|leido|lido|lu|letto|既読|읽음|прочитано|okundu|已讀",
    "url": "verweis|enlace|lien|リンク|링크|ссылка|bağlantı|連結",
}
for _role, _words in _ELSEWHERE.items():
    for _rank, _word in enumerate(_words.split("|"), start=100):
        _MEANS.setdefault(_word, (_role, _rank))
_LAST_WORDS = frozenset({"title", "author", "authors", "year", "venue", "conference", "paper"})
_MARKS = re.compile("[\\s_*`~#?!:.,;()\\[\\]/\ufe0f-]+")
_AND = re.compile(r"\s*[&/+]\s*|\s+and\s+|<br\s?/?>")
# words that say whose column it is, not what it holds: My notes, Paper authors
_OWNERS = frozenset({"my", "our", "the", "a", "personal", "paper", "work", "article"})


def role_of(heading: str) -> Role | None:
    """Return what a column with this heading says, or None; capitals, punctuation and `my` do not matter."""
    return _means(heading)[0]


def columns_of(headings: Sequence[str]) -> dict[Role, int]:
    """Return the column of each role that a table has: of two the stronger heading, of two alike the first."""
    columns = {role: alike[0] for role, alike in ranked_columns(headings).items()}
    if "name" not in columns and "title" in columns:  # Name | Paper: the short one beside the long
        names = [i for i, text in enumerate(headings) if text.strip().casefold() == "name"]
        if names and names[0] != columns["title"]:
            columns["name"] = names[0]
    return columns


def ranked_columns(headings: Sequence[str]) -> dict[Role, list[int]]:
    """Return all columns of each role, the strongest heading first."""
    found: dict[Role, list[tuple[int, int]]] = {}
    for column, heading in enumerate(headings):
        role, rank = _means(heading)
        if role is not None:
            found.setdefault(role, []).append((rank, column))
    return {role: [column for _, column in sorted(ranks)] for role, ranks in found.items()}


def _means(heading: str) -> tuple[Role | None, int]:
    words = _MARKS.sub(" ", heading).casefold().split()
    while words:
        if known := _MEANS.get(" ".join(words)):
            return known
        if words[0] not in _OWNERS:
            break
        del words[0]
    for part in _AND.split(heading)[:-1]:  # Title & Authors, Pub. / Date: what comes first
        role, rank = _means(part)
        if role is not None:
            return role, rank
    words = _MARKS.sub(" ", heading.partition("(")[0]).casefold().split()
    if words and words[-1] in _LAST_WORDS:  # Full title, First author, Publication venue
        return _MEANS[words[-1]]
    return None, 0
