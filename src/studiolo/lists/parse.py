"""From blocks to entries.

A top-level item is an entry. A nested item is an entry of its own only if it names a paper and none of the
items around it does. A row of a table is an entry. Paragraphs and HTML are entries where their shape is a list's.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, takewhile

from .below import belongs_to_parent, is_field, is_part, names_below
from .blocks import Block
from .cells import name_row, with_titles, words_of
from .columns import Role, columns_of
from .contents import Contents
from .drafts import Draft, Part
from .elements import Heading, Link, Note, Question, Span, State
from .entry import Entry
from .fields import TITLED
from .habits import Habits
from .links import Piece, Run, find_links, fold_label, unescape
from .paragraphs import (
    are_fields,
    is_title,
    is_work,
    title_and_items,
    whose,
    works_in,
    works_in_html,
)
from .questions import asked_in
from .sections import Section, sections
from .states import (
    BOX,
    BOX_STATES,
    READING,
    are_states,
    state_of_cell,
    state_of_keyword,
    state_of_mark,
    state_of_section,
)
from .tags import badge_tag, front_tags, hashtags, labels_line, split_tags, trailing_code
from .texts import Text


_WORDS = ("paragraph", "heading")
_HASH = ord("#")
# what a head may say beside its work: a mark, a question, a box, a keyword. An entity may stand for anything
_SAYS_MORE = re.compile(
    rb"[\x80-\xffqQ&\[TLWDNSI](?:(?<=[\x80-\xffqQ&])|(?<=\A\[)[ xX/~-]\][ \t]"
    rb"|(?<=T)ODO|(?<=L)ATER|(?<=W)AITING|(?<=D)(?:OING|ONE)|(?<=N)OW|(?<=S)TARTED|(?<=I)N-PROGRESS)"
)
_SAMPLED = 100  # items of which a list's habits are learnt
_LONGEST_HEAD = 1000  # bytes of one of them
_ANSWER = re.compile(r"(?:A\d{0,3}|Answer)\s?[:.]\s+(?=\S)", re.IGNORECASE)
# no date, and no letter first with which a question, an answer, a field or people begin
_ONLY_NOTE = re.compile(r"[ce-orsu-xz]\D*+")
_INNER_ANSWER = re.compile(r"\sA:\s+(?=\S)")
TAG_LINK = re.compile(r"(?:^|/)tags?/([^/?#]+?)(?:\.md|\.html|/)?$", re.IGNORECASE)
TAGS_COMMENT = re.compile(rb"<!--\s*TAGS?\b[ \t]*:?(.*?)-->", re.DOTALL | re.IGNORECASE)


def read_document(data: bytes, root: Block, habits: Habits | None = None) -> Contents:
    """Return what the blocks of `data` hold."""
    reader = Reader(data, root, habits)
    entries: list[Entry] = []
    blocks: list[Block] = []
    every: list[Section] = []
    linking: list[Text] = []
    outside: list[Link] = []
    for part in reader.parts():
        every.append(part.section)
        entries += map(reader.entry, part.drafts)
        blocks += (draft.block for draft in part.drafts)
        linking += part.linking
        outside += part.outside
    return Contents(
        tuple(entries),
        tuple(blocks),
        tuple(sorted(reader.headings, key=lambda heading: heading.span)),
        tuple(every),
        tuple(linking),
        tuple(outside),
        tuple(reader.questions),
        tuple(dict.fromkeys(reader.tags)),
        reader.definitions,
    )


def lead_of(root: Block) -> Block | None:
    """Return the paragraph that a page begins with, below its title: there a line of labels may stand."""
    before = ("heading", "front", "comment", "definition")
    first = next((block for block in root.children if block.kind not in before), None)
    return first if first is not None and first.kind == "paragraph" else None


class Reader:
    """Reads a document section by section.

    Attributes:
        definitions: the addresses of reference links by their folded labels.
        headings, questions, tags: those of the parts that were read.
    """

    def __init__(self, data: bytes, root: Block, habits: Habits | None = None) -> None:
        self.data = data
        self.root = root
        self.definitions: dict[str, str] = {}
        self.headings: list[Heading] = []
        self.part = Part(Section((), None, 0, (), 0, 0, 1))
        self.section: tuple[str, ...] = ()
        self.num_drafts = 0
        self.questions: list[Question] = []
        self.tags: list[str] = []
        self.own: dict[Block, Text] = {}
        self.title: Text | None = None  # the heading of the section at hand
        self.shows_states = True  # by headings
        self.lead = lead_of(root)
        self.above: Text | None = None  # a title in the block before
        self.headed: Draft | None = None  # the work that the heading before is
        self.titles: dict[str, Text] = {}  # all of them by their words
        self.last: tuple[tuple[str, ...] | None, State | None] = (None, None)
        self.habits = habits or Habits(self._heads)
        self.page: tuple[str, ...] = (
            "",
        )  # a heading over all others that says "Reading": a page's name, not a state

    def parts(self) -> Iterator[Part]:
        """Yield what each section holds, in the order of the file; nothing of a part is kept here but what is named above."""
        if b"]:" in self.data:
            for block in self.root.walk():
                if block.kind == "definition":
                    self.definitions.setdefault(fold_label(block.label), unescape(block.target))
        headings = [block for block in self.root.children if block.kind == "heading"]
        levels = [block.level for block in headings]
        if b"eading" in self.data:
            raw = (self.data[block.start : block.end] for block in headings)
            self.shows_states = are_states(text.decode("utf-8", "replace") for text in raw)
        over_all = levels[:1] == [min(levels, default=0)] and levels.count(levels[0]) == 1
        for section in sections(self.root, self._section_heading):
            if over_all and len(section.path) == 1 and state_of_section(section.path) == READING:
                self.page = section.path
            self.part.section = section
            self.section = section.path
            for draft in self.part.drafts:  # the heading itself
                draft.section = section.path
            if not section.path:
                self.title = None
            first = len(self.part.drafts)
            if not self._titled(section.blocks):
                self._flow(section.blocks)
                self._title_from(self.title, first)
            yield self.part
            self.part = Part(section)
            self.own.clear()

    def _heads(self) -> Iterator[tuple[bytes, list[Piece]]]:
        """Yield heads of its items and paragraphs from all over the document, so many as show its habits."""
        blocks = [block for block in self.root.children if block.kind in ("item", "paragraph")]
        for block in blocks[:: len(blocks) // _SAMPLED + 1]:
            nested = [child for child in block.children if child.kind == "item"]
            for item in (block, *nested[:2]):
                head = item.children[0] if item.children else item
                if (
                    head.kind in _WORDS
                    and head.content
                    and head.content[-1][1] - head.content[0][0] < _LONGEST_HEAD
                ):
                    text = self._peek(head.content, head.line)
                    yield text.run.data, text.pieces

    def _draft(self, block: Block, parent: int | None = None) -> Draft:
        draft = Draft(block, self.num_drafts, self.section, parent, habits=self.habits)
        self.num_drafts += 1
        self.part.drafts.append(draft)
        return draft

    def _section_heading(self, block: Block) -> str:
        self.title = self._heading(block)
        self._take_heading(block, self.title)
        words = self.headings[-1].text
        self.titles[words] = self.title
        return words

    def _flow(self, blocks: Sequence[Block]) -> None:
        """Read what stands outside of items."""
        fields = 0
        for i, block in enumerate(blocks):
            kind = block.kind
            above, self.above = self.above, None
            headed, self.headed = self.headed, None
            if headed is not None and self._says_more(block, headed):
                self.headed = headed
            if kind == "paragraph" and (fields := self._fields(blocks, i)):
                continue
            if kind == "item":
                if fields:  # read already, with the paragraph above
                    fields -= 1
                    continue
                self._item(block, None, named=False, depth=0)
                self.above = self.part.drafts[-1].head
            elif kind == "heading":
                self._take_heading(block, self._heading(block))
            elif kind == "paragraph":
                self._paragraph(block, above)
            elif kind == "quote":
                first = len(self.part.drafts)
                self.above = above
                self._flow(block.children)
                if block.children and block.children[0].kind == "heading":
                    self._title_from(self._text(block.children[0]), first)
            elif kind == "table":
                self._table(block)
            elif kind == "html":
                self._html(block)
            else:
                self._other(block, None)

    def _title_from(self, heading: Text | None, first: int) -> None:
        """Give the first work below a heading that title, if it has no words of its own and is the only work there."""
        drafts = self.part.drafts[first:]
        at = next((i for i, draft in enumerate(drafts) if draft.names_paper()), None)
        if heading is None or at is None or (own := drafts[at].head) is None:
            return
        if not own.only_links():
            return
        above = [heading, *(self.titles[name] for name in self.section[-2::-1])]
        title = next((text for text in above if not is_part(text.words())), heading)
        alone = not any(draft.names_paper() for draft in drafts[at + 1 :])
        labelled = any(piece.kind not in ("bare", "auto", "image") for piece in own.pieces)
        long = len(title.words().split()) > 2
        if not is_part(title.words()) and ((alone and labelled) or ((alone or at == 0) and long)):
            drafts[at].head = title

    def _take_heading(self, block: Block, text: Text) -> None:
        """Take the links of a heading, which is a work itself if it is shaped as one and not only a word or two."""
        if text.pieces and len(text.words().split()) > 2 and text.links_paper() and is_work(text):
            self.headed = self._work(block, text)
        else:
            self.headed = None
            self._take_links(text, None)

    def _says_more(self, block: Block, draft: Draft) -> bool:
        """Take what a paragraph or item below a heading that is a work says of it, line by line; return whether it says any."""
        words = block.children[0] if block.kind == "item" and block.children else block
        if words.kind not in _WORDS or words.kind == "heading":
            return False
        before = draft.said
        for i, span in enumerate(words.content):
            text = self._peek([span], words.line + i)
            line = text.words()
            if not text.links_paper() and (i == 0 or is_field(line)):
                names_below(text, line, 1, draft)
        return draft.said is not before

    def _paragraph(self, block: Block, above: Text | None) -> None:
        """Read a paragraph: one work, one a line, or words.

        Args:
            above: the text of the block before it, which may be its title.
        """
        text = self._text(block)
        if above is not None and (said := whose(text)) and is_title(above):
            draft = self._work(block, text)
            draft.head, draft.said = above, said
            return
        if works := works_in(block, text, self._peek):
            for work in works:
                self._work(work, text if work is block else self._peek(work.content, work.line))
            return
        self._take_links(text, None)
        if block is self.lead and (labels := labels_line(text.run.data)):
            self.tags += labels[0]
        else:
            self.tags += hashtags(text)
        self.above = text
        words = text.words()
        if asked := asked_in(words):
            self._ask(asked, block.line, None)
        elif match := _ANSWER.match(words):
            self._answer(words[match.end() :], None)

    def _work(self, block: Block, text: Text) -> Draft:
        """Make an entry of a block that is not an item."""
        draft = self._draft(block)
        self._take_links(text, draft)
        self._head(block, text, draft)
        return draft

    def _fields(self, blocks: Sequence[Block], at: int) -> int:
        """Read a paragraph that is a title, and the items below it that say where its work is; return how many."""
        items = list(takewhile(lambda block: block.kind == "item", islice(blocks, at + 1, None)))
        if not self._are_fields(items) or not is_title(title := self._text(blocks[at])):
            return 0
        draft = self._work(title_and_items(blocks[at], items), title)
        for item in items:
            self._item(item, draft, named=True, depth=0)
        return len(items)

    def _are_fields(self, items: Sequence[Block]) -> bool:
        heads = [item.children[0] for item in items[:20] if item.children]
        if not heads or any(head.kind not in _WORDS for head in heads):
            return False
        return are_fields([self._own(head) for head in heads])

    def _titled(self, items: Sequence[Block]) -> bool:
        """Read a section whose heading is the title of the one work that its items tell of, if it is that."""
        if (
            self.title is None
            or not 0 < len(items) <= 20
            or any(block.kind != "item" for block in items)
            or not self._are_fields(items)
        ):
            return False
        named = any(
            TITLED.match(self._own(item.children[0]).words()) for item in items if item.children
        )
        if not named and len(self.title.words().split()) < 3:
            return False
        draft = self._draft(title_and_items(items[0], items))
        for item in items:
            self._item(item, draft, named=True, depth=0)
        if not draft.said.title:
            draft.head = self.title
        return True

    def _html(self, block: Block) -> None:
        """Read an HTML block outside of items: the works it lists, and its other links."""
        taken: list[Span] = []
        for work in works_in_html(self.data, block, self._peek_html):
            self._work(work, self._peek_html(work.content, work.line))
            taken.append((work.start, work.end))
        text = self._text(block)
        starts = [start for start, _ in taken]

        def outside(piece: Piece) -> bool:
            at = text.run.place(piece.start)
            i = bisect_right(starts, at) - 1
            return i < 0 or at >= taken[i][1]

        text.pieces = [piece for piece in text.pieces if piece.kind == "html" and outside(piece)]
        self._take_links(text, None)

    def _heading(self, block: Block) -> Text:
        text = self._text(block)
        span = (block.start, block.end)
        self.headings.append(Heading(block.level, text.words(), block.line, span))
        return text

    def _own(self, block: Block) -> Text:
        """Return the text of a paragraph or heading inside an item, read once."""
        text = self.own.get(block)
        if text is None:
            text = self._heading(block) if block.kind == "heading" else self._text(block)
            self.own[block] = text
        return text

    def _other(self, block: Block, draft: Draft | None) -> None:
        """Read html, comments and front matter."""
        if block.kind == "html":
            text = self._text(block)
            text.pieces = [piece for piece in text.pieces if piece.kind == "html"]
            self._take_links(text, draft, below=True)
        elif block.kind == "comment":
            if match := TAGS_COMMENT.match(self.data, block.content[0][0], block.end):
                self.tags += split_tags(match[1].decode("utf-8", "replace"))
        elif block.kind == "front":
            self.tags += front_tags(self.data[slice(*block.content[0])].decode("utf-8", "replace"))

    def _item(
        self, item: Block, owner: Draft | None, *, named: bool, depth: int, crowd: int = 0
    ) -> None:
        """Read an item and what is nested in it.

        Args:
            owner: the entry around it, if any.
            named: an item around it names a paper.
            crowd: how many of its siblings and itself are nothing but a link to a paper.
        """
        children = item.children
        if len(children) == 1 and children[0].kind in _WORDS:  # as most are
            own = self._own(children[0])
            if owner is None:
                draft = self._draft(item)
                self._take_links(own, draft)
                self._head(item, own, draft)
                return
            if not own.pieces:
                self._note(own, children[0].line, depth, owner)
                return
        texts = [self._own(block) if block.kind in _WORDS else None for block in children]
        names_paper = any(text.links_paper() for text in texts if text is not None and text.pieces)
        starts_entry = owner is None or (
            names_paper and not named and not belongs_to_parent(texts[0] if texts else None, crowd)
        )
        if owner is None or starts_entry:
            parent = owner.index if owner is not None else None
            draft = self._draft(item, parent)
            depth = 0
        else:
            draft = owner
        named = named or names_paper
        crowd = 0
        if not named and None in texts:
            heads = [
                self._own(c.children[0])
                for c in children
                if c.kind == "item" and c.children and c.children[0].kind in _WORDS
            ]
            bare = [head for head in heads if head.links_paper() and head.only_links()]
            crowd = len(bare)
            named = any(belongs_to_parent(head, crowd) for head in bare)
        for i, (block, text) in enumerate(zip(children, texts, strict=True)):
            if text is not None:
                is_own = i == 0 and starts_entry
                self._take_links(text, draft, below=not is_own)
                if is_own:
                    self._head(item, text, draft)
                else:
                    self._note(text, block.line, depth if i == 0 else depth + 1, draft)
            elif block.kind == "item":
                self._item(block, draft, named=named, depth=depth + 1, crowd=crowd)
            else:
                self._inside(block, draft, depth + 1)

    def _inside(self, block: Block, draft: Draft, depth: int) -> None:
        """Read a quotation, a table or html inside an item."""
        if block.kind == "quote":
            for child in block.children:
                if child.kind in ("paragraph", "heading"):
                    text = self._heading(child) if child.kind == "heading" else self._text(child)
                    self._take_links(text, draft, below=True)
                    self._note(text, child.line, depth, draft)
                elif child.kind == "item":
                    self._item(child, draft, named=True, depth=depth)
                else:
                    self._inside(child, draft, depth)
        elif block.kind == "table":
            for row in block.children:
                cells = [self._cell(row, cell) for cell in row.content]
                for cell in cells:
                    self._take_links(cell, draft, below=True)
                draft.notes.append(
                    Note(" | ".join(cell.words() for cell in cells), row.line, depth)
                )
        else:
            self._other(block, draft)

    def _head(self, item: Block, text: Text, draft: Draft) -> None:
        data = text.run.data
        draft.head = text
        if _HASH in data:
            draft.tags += hashtags(text)
        if data.endswith(b"`"):
            draft.tags += [tag for tag, _ in trailing_code(data)]
        if not _SAYS_MORE.search(data):
            return
        box = BOX.match(data)
        if box:
            draft.state = BOX_STATES.get(chr(box[1][0]))
            draft.state_by = "box" if draft.state else None
        words = text.words()
        if not box and (state := state_of_mark(words)):
            draft.state, draft.state_by = state, "mark"
        elif not box and (state := state_of_keyword(words)):
            draft.state, draft.state_by = state, "keyword"
        if asked := asked_in(words, data):
            self._ask(asked, item.line, draft)

    def _note(self, text: Text, line: int, depth: int, draft: Draft) -> None:
        words = text.words()
        if _HASH in text.run.data:
            draft.tags += hashtags(text)
        if not text.pieces and _ONLY_NOTE.fullmatch(words):
            draft.notes.append(Note(words, line, max(depth, 1)))
            return
        if asked := asked_in(words, text.run.data):
            self._ask(asked, line, draft)
            return
        if (match := _ANSWER.match(words)) and self._answer(words[match.end() :], draft):
            return
        if not names_below(text, words, depth, draft) and words and not text.only_links():
            draft.notes.append(Note(words, line, max(depth, 1)))

    def _ask(self, words: str, line: int, draft: Draft | None) -> None:
        answer = None
        if inner := _INNER_ANSWER.search(words):
            words, answer = words[: inner.start()], words[inner.end() :]
        question = Question(words.strip(), line, answer)
        self.questions.append(question)
        if draft is not None:
            draft.questions.append(question)

    def _answer(self, words: str, draft: Draft | None) -> bool:
        """Give an answer to the last question, if that is open."""
        if not self.questions or self.questions[-1].answer is not None:
            return False
        last = self.questions[-1]
        if draft is not None and (not draft.questions or draft.questions[-1] is not last):
            return False
        answered = Question(last.text, last.line, words)
        self.questions[-1] = answered
        if draft is not None:
            draft.questions[-1] = answered
        return True

    def _table(self, table: Block) -> None:
        header = [self._cell(table.children[0], cell) for cell in table.children[0].content]
        for cell in header:
            self._take_links(cell, None)
        roles = columns_of([cell.words() for cell in header])
        rows = [[self._cell(row, cell) for cell in row.content] for row in table.children[1:]]
        roles = with_titles(rows, roles)
        for row, cells in zip(table.children[1:], rows, strict=True):
            self._row(row, cells, roles)

    def _row(self, row: Block, cells: list[Text], roles: Mapping[Role, int]) -> None:
        if not any(cell.run.data for cell in cells):
            return
        draft = self._draft(row)
        notes = {roles[role] for role in ("notes", "about") if role in roles}
        for i, cell in enumerate(cells):
            self._take_links(cell, draft, below=i in notes)
            draft.tags += hashtags(cell)

        words = partial(words_of, cells, roles)
        cites = any(cell.links_paper() for cell in cells)
        draft.said, at = name_row(cells, roles, cites=cites)
        if "tags" in roles:
            draft.tags += [tag for tag in re.split(r"[,;]\s*", words("tags")) if tag]
        if "state" in roles and roles["state"] < len(cells):
            draft.state, draft.state_by = state_of_cell(words("state")), "column"
        elif state := state_of_mark(cells[at].words()):
            draft.state, draft.state_by = state, "mark"
        if note := words("notes", "about"):
            if asked := asked_in(note):
                self._ask(asked, row.line, draft)
            else:
                draft.notes.append(Note(note, row.line, 1))

    def _text(self, block: Block) -> Text:
        run = Run(self.data, block.content)
        text = Text(run, find_links(run.data, self.definitions), block.line)
        self.part.texts.append(text)
        return text

    def _cell(self, row: Block, cell: Span) -> Text:
        text = self._peek([cell], row.line)
        self.part.texts.append(text)
        return text

    def _peek(self, content: list[Span], line: int) -> Text:
        """Return a stretch of a text that is kept already."""
        run = Run(self.data, content)
        return Text(run, find_links(run.data, self.definitions), line)

    def _peek_html(self, content: list[Span], line: int) -> Text:
        text = self._peek(content, line)
        text.pieces = [piece for piece in text.pieces if piece.kind == "html"]
        return text

    def _take_links(self, text: Text, draft: Draft | None, *, below: bool = False) -> None:
        if not text.pieces:
            return
        self.part.linking.append(text)
        if draft is not None:
            (draft.below if below else draft.own).append(text)
        elif text.links_paper():
            self.part.outside += [x for x in text.links if x.mention and x.mention.key.names_paper]
        for piece in text.pieces:
            if piece.kind == "image":
                if badge := badge_tag(piece.url):
                    self.tags.append(badge)
            elif (
                draft is not None
                and (piece.kind == "wiki" or piece.mention is None)
                and (tag := TAG_LINK.search(piece.url))
            ):
                draft.tags.append(tag[1])

    def entry(self, draft: Draft) -> Entry:
        """Return the entry that a draft becomes."""
        keys, others = draft.keys()
        state, by = draft.state, draft.state_by
        if state is None and self.shows_states and (state := self._state_of(draft.section)):
            by = "section"
        return Entry(draft, self.data, keys, others, state, by)

    def _state_of(self, section: tuple[str, ...]) -> State | None:
        """Return the state that the headings of a section give, looked up once for those that follow one another."""
        if section is not self.last[0]:
            self.last = section, state_of_section(section[section[:1] == self.page :])
        return self.last[1]
