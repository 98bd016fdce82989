"""Words that only say what a link leads to: `[pdf]`, `code`, `论文`, `here`."""

from __future__ import annotations

import re

from .dates import VENUES


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
SMALL_WORDS = frozenset(["and", "the", "v", "in", "with", "for", "to"])
_SMALL_WORD = re.compile(r"\d{1,3}|&|\+|and|the|v\d+|in|with|for|to")
_MARKS = str.maketrans(dict.fromkeys("[](){}\\:.,!：?*_`\"'“”/|【】（）", " "))
_LABEL_WITH_REMARK = re.compile(  # paper (no code yet)
    r"\[?(paper|pdf|code|arxiv|link|preprint|slides|video|poster|project)\s?\((?:no|not|coming|soon|without|to be)\b[^()\d]*\)\s*\]?",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w")
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
    if not any(word.isalnum() or _WORD.search(word) for word in words):
        return True  # nothing, or only emoji
    if len(words) <= 4 and all(
        w in LABELS or w.rstrip("0123456789") in LABELS or _SMALL_WORD.fullmatch(w) for w in words
    ):
        return True
    if not text.isascii() and len(text) <= 20 and _LABELS_UNSPACED.fullmatch("".join(words)):
        return True
    return (
        len(words) <= 3 and len(text) < 60 and _BARE_ID.fullmatch(text.strip(" []()")) is not None
    )
