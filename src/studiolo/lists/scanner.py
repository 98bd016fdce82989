"""Where the blocks of a Markdown file lie: headings, items, tables, fences, comments, as byte ranges.

One pass over the lines, after CommonMark's container rules, on the bytes themselves: nothing is decoded,
nothing is ever rendered back. Work is linear in the bytes; nesting deeper than `MAX_DEPTH` is text.

Source: https://spec.commonmark.org/0.31.2/ (appendix, parsing strategy), https://github.github.com/gfm/#tables-extension-
Differs: only `\\n` ends a line; YAML and TOML front matter are blocks; numbers of ordered items may be any.
"""

from __future__ import annotations

import re

from studiolo.collector import collector_paused

from .blocks import Block


MAX_DEPTH = 32  # containers inside one another

_SPACE = re.compile(rb"[ \t]*")
_ATX = re.compile(rb"(#{1,6})(?:[ \t]+|$)")
_SETEXT = re.compile(rb"(?:=+|-+)[ \t]*$")
_FENCE = re.compile(rb"(`{3,})[^`]*$|(~{3,})")
_RULE = re.compile(rb"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_BULLET = re.compile(rb"[*+-](?=[ \t]|$)")
# an item in which nothing but a paragraph can begin, as the line that most of a long list are
_PLAIN_ITEM = re.compile(rb"( *)[*+-] (?:[A-Za-z\[\"(]|\*\*[A-Za-z]).*(?<!\r)\n")
_ORDERED = re.compile(rb"(\d{1,9})[.)](?=[ \t]|$)")
_DELIMITER = re.compile(rb"\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$")
_DEFINITION = re.compile(
    rb"\[((?:[^\[\]\\\n]|\\.){1,999})\]:[ \t]*+(?:\n[ \t]*+)?(?:<([^<>\n]*)>|([^\s<]\S*))"
    rb"(?:[ \t]*+(?:\n[ \t]*+)?(?<=\s)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\)))?[ \t]*(?:\n|$)"
)
_DEFINITION_PLAIN = re.compile(
    rb"\[((?:[^\[\]\\\n]|\\.){1,999})\]:[ \t]*+(?:\n[ \t]*+)?(?:<([^<>\n]*)>|([^\s<]\S*))[ \t]*(?:\n|$)"
)
_HTML_6 = (
    rb"address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|"
    rb"dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|"
    rb"menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|"
    rb"title|tr|track|ul"
)
_HTML_START = re.compile(
    rb"<(?:(?P<raw>script|pre|style|textarea)(?=[ \t>]|$)|(?P<comment>!--)|(?P<pi>\?)|(?P<decl>![a-z])|(?P<cdata>!\[CDATA\[)"
    rb"|(?P<block>/?(?:" + _HTML_6 + rb")(?=[ \t]|/?>|$)))",
    re.IGNORECASE,
)
_HTML_7 = re.compile(
    rb"<(?:[a-z][a-z0-9-]*(?:[ \t]+[a-z_:][\w.:-]*(?:[ \t]*=[ \t]*(?:[^ \t\"'=<>`]+|'[^'\n]*'|\"[^\"\n]*\"))?)*[ \t]*/?|/[a-z][a-z0-9-]*[ \t]*)>[ \t]*$",
    re.IGNORECASE,
)
_HTML_END = {
    "raw": re.compile(rb"</(?:script|pre|style|textarea)>", re.IGNORECASE),
    "comment": re.compile(rb"-->"),
    "pi": re.compile(rb"\?>"),
    "decl": re.compile(rb">"),
    "cdata": re.compile(rb"\]\]>"),
}
_FRONT_LINE = re.compile(rb"[\w \"'-]+:(?:[ \t\r\n]|$)|[\w -]+=|#")


def scan(data: bytes) -> Block:
    """Return the tree of blocks of `data`; the root is the document."""
    with collector_paused():
        return _Scanner(data).run()


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.root = Block("document", 0, len(data), 1)
        self.stack = [self.root]
        self.leaf: Block | None = None  # an open paragraph, fence, html block, code block or table
        self.fence = b""
        self.html_end: re.Pattern[bytes] | None = None
        self.defines = b"]:" in data  # it may
        self.deep = False  # the last line of the open paragraph is indented like code, or lazy: no table header
        self.last_end = 0  # end of the last line that was not blank
        # the line at hand
        self.line = 0
        self.start = 0
        self.stop = 0  # before the newline
        self.next = 0
        self.pos = 0  # first character that is not a space
        self.column = 0  # its column
        self.indent = 0  # columns before it that no container has taken

    def run(self) -> Block:
        data = self.data
        begin = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        begin, self.line = self._front_matter(begin)
        size, was_blank = len(data), False
        while begin < size:
            if _PLAIN_ITEM.match(data, begin) and (behind := self._plain_items(begin)) > begin:
                begin, was_blank = behind, False
                continue
            newline = data.find(b"\n", begin)
            self.next = size if newline < 0 else newline + 1
            stop = size if newline < 0 else newline
            if stop > begin and data[stop - 1] == 13:
                stop -= 1
            self.start, self.stop = begin, stop
            self.line += 1
            self.column = self.indent = 0
            self.pos = begin
            if stop > begin and data[begin] <= 32:
                self._skip_spaces()
            blank = self.pos >= self.stop
            if not (blank and was_blank and self.leaf is None):
                self._read_line()
            if not blank:
                self.last_end = self.next
            begin, was_blank = self.next, blank
        self._close_to(1)
        self._close_leaf()
        return self.root

    def _skip_spaces(self) -> None:
        """Move `pos` over spaces and tabs, counting columns with tab stops of 4."""
        match = _SPACE.match(self.data, self.pos, self.stop)
        end = match.end() if match else self.pos
        if end == self.pos:
            return
        before = self.column
        if self.data.find(b"\t", self.pos, end) < 0:
            self.column += end - self.pos
        else:
            for piece in self.data[self.pos : end]:
                self.column += 4 - self.column % 4 if piece == 9 else 1
        self.indent += self.column - before
        self.pos = end

    def _front_matter(self, begin: int) -> tuple[int, int]:
        match = re.compile(rb"(---|\+\+\+)[ \t]*\r?\n").match(self.data, begin)
        if match is None:
            return begin, 0
        fence = re.escape(match[1]) if match[1] == b"+++" else rb"(?:---|\.\.\.)"
        close = re.compile(rb"^" + fence + rb"[ \t]*\r?$\n?", re.MULTILINE).search(
            self.data, match.end()
        )
        if close is None:
            return begin, 0
        inner = self.data[match.end() : close.start()].lstrip()
        if inner and not _FRONT_LINE.match(inner):
            return begin, 0
        block = Block("front", begin, close.end(), 1, self.root)
        block.content = [(match.end(), close.start())]
        self.root.children.append(block)
        self.last_end = close.end()
        return close.end(), self.data.count(b"\n", 0, close.end())

    def _read_line(self) -> None:
        depth = self._match_containers()
        blank = self.pos >= self.stop  # behind the marks of quotations
        all_matched = depth == len(self.stack)
        leaf = self.leaf
        if leaf is not None and all_matched:
            if leaf.kind == "fence":
                self._continue_fence(leaf)
                return
            if leaf.kind in ("html", "comment"):
                if self._continue_html(leaf, blank):
                    return
                leaf = None
            elif leaf.kind == "code":
                if blank or self.indent >= 4:
                    if not blank:
                        leaf.content.append((self.pos, self.stop))
                    return
                self._close_leaf()
                leaf = None
        if blank:
            if not all_matched:
                self._close_to(depth)
            if leaf is not None and leaf.kind in ("paragraph", "table"):
                self._close_leaf()
            self._note_blank()
            return
        self._open_blocks(depth, all_matched)

    def _plain_items(self, begin: int) -> int:
        """Read plain items of a line each, one behind the other, outside of quotations; return where other lines begin."""
        data, stack, line, end = self.data, self.stack, self.line, self.last_end
        if any(block.kind == "quote" for block in stack):
            return begin
        while match := _PLAIN_ITEM.match(data, begin):
            marker_at = match.end(1)
            indent, depth, open_depth = marker_at - begin, 1, len(stack)
            while depth < open_depth and indent >= stack[depth].width:
                indent -= stack[depth].width
                depth += 1
            leaf = self.leaf
            if indent >= 4 or depth >= MAX_DEPTH:
                break
            if leaf is not None:
                if depth == open_depth and leaf.kind != "paragraph":
                    break
                self._close_leaf()
            for _ in range(depth, open_depth):
                stack.pop().end = end
            line, end, text_at = line + 1, match.end(), marker_at + 2
            parent, marker = stack[-1], data[marker_at : marker_at + 1]
            item = Block("item", begin, end, line, parent, [], [], 0, marker, marker_at, text_at, indent + 2)  # fmt: skip
            leaf = Block("paragraph", text_at, end, line, item, [], [(text_at, end - 1)])
            parent.children.append(item)
            item.children.append(leaf)
            stack.append(item)
            self.leaf, self.deep = leaf, False
            self.last_end = begin = end
        self.line = line
        return begin

    def _note_blank(self) -> None:
        """An item that begins with a blank line takes no more than that one."""
        top = self.stack[-1]
        if top.kind == "item" and not top.children and self.line > top.line:
            self._close_to(len(self.stack) - 1)

    def _match_containers(self) -> int:
        """Return how many open containers go on in this line; takes their indents and markers."""
        depth = 1
        for block in self.stack[1:]:
            if block.kind == "item":
                if self.pos >= self.stop:
                    pass
                elif self.indent >= block.width:
                    self.indent -= block.width
                else:
                    break
            elif self.indent <= 3 and self.pos < self.stop and self.data[self.pos] == 62:
                self._take_quote_mark()
            else:
                break
            depth += 1
        return depth

    def _take_quote_mark(self) -> None:
        self.pos += 1
        self.column += 1
        self.indent = 0
        self._skip_spaces()
        self.indent = max(self.indent - 1, 0)

    def _continue_fence(self, leaf: Block) -> None:
        if self.indent <= 3 and self.pos < self.stop and self.data[self.pos] == self.fence[0]:
            text = self.data[self.pos : self.stop].rstrip(b" \t")
            if len(text) >= len(self.fence) and not text.strip(self.fence[:1]):
                self.last_end = self.next
                self._close_leaf()
                return
        leaf.content.append((self.pos, self.stop))

    def _continue_html(self, leaf: Block, blank: bool) -> bool:
        if self.html_end is None:
            if blank:
                self._close_leaf()
                return False
            leaf.content.append((self.pos, self.stop))
            return True
        leaf.content.append((self.pos, self.stop))
        if self.html_end.search(self.data, self.pos, self.stop):
            self.last_end = self.next
            self._close_leaf()
        return True

    def _open_blocks(self, depth: int, all_matched: bool) -> None:
        data = self.data
        opened = False
        while True:
            leaf = self.leaf
            in_paragraph = (
                all_matched and not opened and leaf is not None and leaf.kind == "paragraph"
            )
            in_table = all_matched and not opened and leaf is not None and leaf.kind == "table"
            if self.indent >= 4:
                lazy = leaf is not None and leaf.kind == "paragraph" and not opened
                if not lazy:
                    if in_table:
                        self._close_leaf()
                    self._begin(depth, opened)
                    code = self._add("code")
                    code.content.append((self.pos, self.stop))
                    self.leaf = code
                    return
                break
            first = data[self.pos]
            if first == 62:  # >
                if depth >= MAX_DEPTH:
                    break
                depth = self._begin(depth, opened)
                opened = True
                quote = self._add("quote")
                self.stack.append(quote)
                depth += 1
                self._take_quote_mark()
                if self.pos >= self.stop:
                    return
                continue
            if first == 35 and self._heading(depth, opened):  # #
                return
            if first in b"`~" and self._fence(depth, opened):
                return
            if first == 60 and self._html(depth, opened, in_paragraph or in_table):  # <
                return
            if in_paragraph and first in b"=-" and self._setext():
                return
            if first in b"*-_" and _RULE.match(data, self.pos, self.stop):
                self._begin(depth, opened)
                self._add("rule")
                return
            if (first in b"*+-" or 48 <= first <= 57) and depth < MAX_DEPTH:
                new_depth = self._item(depth, opened, in_paragraph)
                if new_depth:
                    depth, opened = new_depth, True
                    if self.pos >= self.stop:
                        return
                    continue
            break
        self._text(depth, all_matched, opened)

    def _text(self, depth: int, all_matched: bool, opened: bool) -> None:
        leaf = self.leaf
        if leaf is not None and not opened:
            if leaf.kind == "paragraph":
                if all_matched and self._table_start(leaf):
                    return
                self.deep = self.indent >= 4 or not all_matched
                leaf.content.append((self.pos, self.stop))  # also a lazy line
                return
            if leaf.kind == "table" and all_matched:
                self._row(leaf)
                return
        self._begin(depth, opened)
        paragraph = self._add("paragraph")
        paragraph.content.append((self.pos, self.stop))
        self.leaf = paragraph
        self.deep = False

    def _begin(self, depth: int, opened: bool) -> int:
        """Close what does not go on before a block is opened; return the depth of the container at hand."""
        if not opened:
            if len(self.stack) > depth:
                self._close_to(depth)
            elif self.leaf is not None:
                self._close_leaf()
        return len(self.stack)

    def _add(self, kind: str) -> Block:
        parent = self.stack[-1]
        behind_marker = parent.kind != "document" and (
            parent.line == self.line or any(block.kind == "quote" for block in self.stack)
        )
        start = self.pos if behind_marker else self.start
        block = Block(kind, start, self.next, self.line, parent)
        parent.children.append(block)
        return block

    def _close_to(self, depth: int) -> None:
        if len(self.stack) <= depth:
            return
        self._close_leaf()
        while len(self.stack) > depth:
            block = self.stack.pop()
            block.end = max(self.last_end, block.start)

    def _close_leaf(self) -> None:
        leaf, self.leaf = self.leaf, None
        if leaf is None:
            return
        leaf.end = max(self.last_end, leaf.start)
        if self.defines and leaf.kind == "paragraph":
            self._definitions(leaf)

    def _heading(self, depth: int, opened: bool) -> bool:
        match = _ATX.match(self.data, self.pos, self.stop)
        if match is None:
            return False
        self._begin(depth, opened)
        heading = self._add("heading")
        heading.level = len(match[1])
        text = self.data[match.end() : self.stop].rstrip(b" \t")
        text = _strip_closing_hashes(text)
        heading.content = [(match.end(), match.end() + len(text))]
        return True

    def _setext(self) -> bool:
        leaf = self.leaf
        if leaf is None or not _SETEXT.match(self.data, self.pos, self.stop):
            return False
        self._definitions(leaf)
        if leaf.kind != "paragraph" or not leaf.content:
            self.leaf = None
            return False
        leaf.kind = "heading"
        leaf.level = 1 if self.data[self.pos] == 61 else 2
        leaf.end = self.next
        self.leaf = None
        return True

    def _fence(self, depth: int, opened: bool) -> bool:
        match = _FENCE.match(self.data, self.pos, self.stop)
        if match is None:
            return False
        self._begin(depth, opened)
        self.fence = match[1] or match[2]
        self.leaf = self._add("fence")
        self.leaf.label = self.data[self.pos + len(self.fence) : self.stop].strip()
        return True

    def _html(self, depth: int, opened: bool, in_paragraph: bool) -> bool:
        match = _HTML_START.match(self.data, self.pos, self.stop)
        if match is None:
            if in_paragraph or self.stop - self.pos > 5000:
                return False
            if self.leaf is not None and self.leaf.kind == "paragraph" and not opened:
                return False  # a lazy line
            if not _HTML_7.match(self.data, self.pos, self.stop):
                return False
        self._begin(depth, opened)
        group = (match.lastgroup if match else None) or "block"
        block = self._add("comment" if group == "comment" else "html")
        block.content.append((self.pos, self.stop))
        self.html_end = _HTML_END.get(group)
        # from behind "<!", so that <!--> is a whole comment
        if self.html_end is not None and self.html_end.search(self.data, self.pos + 2, self.stop):
            return True
        self.leaf = block
        return True

    def _item(self, depth: int, opened: bool, in_paragraph: bool) -> int:
        data = self.data
        match = _BULLET.match(data, self.pos, self.stop) or _ORDERED.match(
            data, self.pos, self.stop
        )
        if match is None:
            return 0
        if in_paragraph:
            if not data[match.end() : self.stop].strip(b" \t"):
                return 0
            if match.lastindex and int(match[1]) != 1:
                return 0
        depth = self._begin(depth, opened)
        item = self._add("item")
        item.marker = match[0]
        item.marker_at = self.pos
        marker_indent, size = self.indent, match.end() - match.start()
        self.pos = match.end()
        self.column += size
        self.indent = 0
        if data[self.pos : self.pos + 1] == b" " and data[self.pos + 1 : self.pos + 2] > b" ":
            self.pos += 1
            self.column += 1
            self.indent = 1
        else:
            self._skip_spaces()
        if self.pos >= self.stop:
            item.width = marker_indent + size + 1
            item.text_at = self.stop
        elif self.indent >= 5:
            item.width = marker_indent + size + 1
            self.indent -= 1
            item.text_at = self.pos
        else:
            item.width = marker_indent + size + self.indent
            self.indent = 0
            item.text_at = self.pos
        self.stack.append(item)
        return depth + 1

    def _table_start(self, leaf: Block) -> bool:
        if self.deep or self.indent >= 4 or not leaf.content or self.data[self.pos] not in b"|-:":
            return False
        if not _DELIMITER.match(self.data, self.pos, self.stop):
            return False
        delimiter = cells(self.data, self.pos, self.stop)
        header = cells(self.data, *leaf.content[-1])
        if len(delimiter) != len(header) or b"|" not in self.data[slice(*leaf.content[-1])]:
            return False
        begin, _ = leaf.content.pop()
        parent = self.stack[-1]
        start = self.data.rfind(b"\n", 0, begin) + 1 if leaf.content else leaf.start
        if leaf.content:
            leaf.end = start
            self._definitions(leaf)
        else:
            parent.children.pop()
        table = Block("table", start, self.next, self.line - 1, parent)
        parent.children.append(table)
        row = Block("row", start, self.start, self.line - 1, table, content=header, level=1)
        table.children.append(row)
        self.leaf = table
        return True

    def _row(self, table: Block) -> None:
        row = Block("row", self.pos, self.next, self.line, table)
        row.start = self.start if table.parent and table.parent.kind == "document" else self.pos
        row.content = cells(self.data, self.pos, self.stop)
        table.children.append(row)

    def _definitions(self, leaf: Block) -> None:
        """Take the link reference definitions off the beginning of a paragraph, the last block there is."""
        data, content, parent = self.data, leaf.content, leaf.parent
        if parent is None or not content or data[content[0][0]] != 91:
            return
        if data.find(b"]:", *content[0]) < 0:  # a link, as most of these are
            return
        parent.children.pop()
        at = 0
        while at < len(content):
            text = b"\n".join(data[a:b] for a, b in content[at : at + 3])
            match = _DEFINITION.match(text) or _DEFINITION_PLAIN.match(text)
            if match is None or not match[1].strip():
                break
            taken = text.count(b"\n", 0, match.end()) + (match.end() == len(text))
            block = Block("definition", leaf.start, 0, leaf.line, parent)
            block.content = content[at : at + taken]
            block.end = data.find(b"\n", block.content[-1][1]) + 1 or len(data)
            block.label = match[1]
            block.target = match[2] if match[2] is not None else match[3]
            parent.children.append(block)
            at += taken
            leaf.line += taken
            leaf.start = block.end
        del content[:at]
        if content:
            parent.children.append(leaf)


def _strip_closing_hashes(text: bytes) -> bytes:
    body = text.rstrip(b"#")
    if len(body) < len(text) and (not body or body[-1] in b" \t"):
        return body.rstrip(b" \t")
    return text


def cells(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Return the byte ranges of the cells of a table row, without the spaces around them."""
    while end > start and data[end - 1] in b" \t":
        end -= 1
    pos = start
    if pos < end and data[pos] == 124:
        pos += 1
    found: list[tuple[int, int]] = []
    begin = pos
    while True:
        bar = data.find(b"|", pos, end)
        if bar < 0:
            break
        if bar > start and data[bar - 1] == 92:  # \|
            pos = bar + 1
            continue
        found.append(_trim(data, begin, bar))
        begin = pos = bar + 1
    if begin < end:
        found.append(_trim(data, begin, end))
    return found


def _trim(data: bytes, start: int, end: int) -> tuple[int, int]:
    while start < end and data[start] in b" \t":
        start += 1
    while end > start and data[end - 1] in b" \t":
        end -= 1
    return start, end
