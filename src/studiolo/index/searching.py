"""Search over SQLite's FTS5: first what has all words in title or authors, then all words anywhere, then some of them."""

from __future__ import annotations

import sqlite3
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from .hints import hints, is_there, with_whole_lists
from .marking import APART, Marks, marked, marks_in, sought_by
from .query import JOINT, TOKENIZE, Query, Word, facet, fts, parse_query, readable
from .ranking import Ranking, numbers_in
from .rows import Row
from .titles import CLOSE, OPEN, title_order, typed_words
from .words import STOP_WORDS, fold, says_nothing, tokens


COLUMNS = ("key", "title", "authors", "notes", "section", "abstract")
_WEIGHTS = (10, 10, 5, 2, 2, 1)
_FEW = 3  # with fewer hits that have all words, those that have all but one follow
# What a hit may show. FTS5 takes seconds for a text that has a word thousands of times: a long one is shown from the word on.
_LONG = 20_000  # letters
_SNIPPETS = ", ".join(
    f"CASE WHEN length(rows.{column}) <= {_LONG} THEN snippet(fts, {COLUMNS.index(column)}, '{OPEN}', '{CLOSE}', '…', 16) "
    f"ELSE substr(rows.{column}, max(1, instr(lower(rows.{column}), ?) - 20), 120) END"
    for column in ("notes", "abstract")
)
_NUM_SNIPPETS = 2
_BEGINNINGS = "substr(rows.notes, 1, 120), substr(rows.abstract, 1, 120)"
FEW_ROWS = 20_000  # of an index: among them FTS5 ranks quickly, and numpy need not be loaded
_MANY = 200  # titles with all words that are put in order; of more, those that BM25 finds best
READ = "key, title, authors, abstract, notes, categories, date"  # of a row by suggestions
SHOWN = "rows.key, rows.title, rows.authors, rows.date, rows.place, rows.url"
# titles and authors have an index of their own too: most of what is sought is there, and theirs is a tenth as long
_SCHEMA = f"""
    CREATE TABLE rows (
        id INTEGER PRIMARY KEY, year INTEGER, date TEXT, key TEXT, title TEXT, authors TEXT, notes TEXT, section TEXT,
        categories TEXT, place TEXT, url TEXT, abstract TEXT
    );
    CREATE TABLE facets (name TEXT, value TEXT, row INTEGER, PRIMARY KEY (name, value, row)) WITHOUT ROWID;
    CREATE VIRTUAL TABLE fts USING fts5 (
        {", ".join(COLUMNS)}, content='rows', content_rowid='id', tokenize={TOKENIZE}
    );
    INSERT INTO fts (fts, rank) VALUES ('rank', 'bm25({", ".join(map(str, _WEIGHTS))})');
    CREATE VIRTUAL TABLE titles USING fts5 (title, authors, content='rows', content_rowid='id', tokenize={TOKENIZE}, prefix='1 2');
    INSERT INTO titles (titles, rank) VALUES ('rank', 'bm25(10, 5)');
"""
_HASH_BYTES = 8 << 20
_LONGEST = 40  # letters of a word that is corrected
_BEGUN = 2  # letters: a last word that is no longer is looked for in titles, elsewhere only whole

_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Hit:
    """One row that was found.

    Attributes:
        key: of the row.
        title: of the row, composed (NFKC).
        snippet: a dozen words of notes or abstract where most of the searched words stand; how they begin where all words
            stand in title and authors.
        marks: (start, end) of each match in `snippet`.
        title_marks: likewise in `title`; after `Found.with_marks`.
        has: "all" words, or "some".
        score: larger is better, within one answer: above 2 all words in title or authors, above 1 all words, below 1 some.
        authors, date, place, url: of the row.
    """

    key: str
    title: str
    snippet: str
    marks: Marks
    has: str
    score: float
    authors: tuple[str, ...] = ()
    date: str = ""
    place: str = ""
    url: str = ""
    title_marks: Marks = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        hits: best first.
        says: sentences for the reader: what was corrected, what could not be found as typed.
        corrected: mistyped word -> the word that was searched instead.
        sought: what was looked for, in the language of FTS5; see `with_marks`.
    """

    hits: tuple[Hit, ...]
    says: tuple[str, ...] = ()
    corrected: tuple[tuple[str, str], ...] = ()
    sought: tuple[str, ...] = ()

    def with_marks(self) -> Found:
        """Return the same with every match marked in the titles and snippets that are shown, a millisecond's work.

        `search` itself marks what FTS5 has looked at anyway: snippets of rows that have a word outside of their titles.
        """
        texts = [text for hit in self.hits for text in (hit.title, hit.snippet)]
        marks = iter(marks_in(texts, self.sought))
        hits = (replace(hit, title_marks=next(marks), marks=next(marks)) for hit in self.hits)
        return replace(self, hits=tuple(hits))


def create_tables(database: sqlite3.Connection) -> None:
    """Make the tables that `add_rows` fills."""
    database.executescript(_SCHEMA)


def add_rows(database: sqlite3.Connection, rows: Sequence[Row], first: int) -> None:
    """Add rows, which are numbered from `first`."""
    database.executemany(
        "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                number, row.year, row.date, row.key, readable(row.title), readable(APART.join(row.authors)),
                readable(row.notes), readable(APART.join(row.section)), APART.join(row.categories), row.place, row.url, readable(row.abstract),
            )
            for number, row in enumerate(rows, start=first)
        ),
    )  # fmt: skip
    database.executemany(
        "INSERT OR IGNORE INTO facets VALUES (?, ?, ?)",
        (
            (name, facet(value), number)
            for number, row in enumerate(rows, start=first)
            for name, values in (
                ("tag", row.tags), ("state", (row.state,)), ("source", row.source.split()), ("has", row.has), ("list", (row.list,)), ("key", row.keys),
            )
            for value in values
            if value
        ),
    )  # fmt: skip


def finish_tables(database: sqlite3.Connection) -> None:
    """Make the full-text indexes of all rows."""
    for table in ("fts", "titles"):
        # larger pieces that are merged only when sixteen are there: a quarter less to do, and as quick to ask
        for setting, value in (("hashsize", _HASH_BYTES), ("automerge", 0)):
            database.execute(f"INSERT INTO {table} ({table}, rank) VALUES (?, ?)", (setting, value))
        database.execute(f"INSERT INTO {table} ({table}) VALUES ('rebuild')")
        # one piece: a search reads every row of each word, a third quicker where no pieces are joined meanwhile
        database.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
    database.execute("CREATE INDEX keys ON rows (key)")


def row_from(found: Sequence[str]) -> Row:
    """Return the row of `SELECT READ`, as suggestions read it."""
    key, title, authors, abstract, notes, categories, date = (t.replace(JOINT, "") for t in found)
    return Row(
        key=key, title=title, authors=split_names(authors), abstract=abstract, notes=notes, categories=split_names(categories), date=date
    )  # fmt: skip


def split_names(text: str) -> tuple[str, ...]:
    """Return the names that a row keeps as one text."""
    return tuple(text.replace(JOINT, "").split(APART)) if text else ()


def search(
    database: sqlite3.Connection, text: str, limit: int, ranking: Ranking | None = None
) -> Found:
    """Search; see `Index.search`.

    Args:
        ranking: ranks rows by BM25 in place of FTS5, which is slow among many.
    """
    query = with_whole_lists(database, parse_query(text))
    found = _searched(database, query, limit, ranking)
    if found.hits and found.hits[0].has == "all":
        return found
    return replace(found, says=(*found.says, *hints(database, query, bool(found.hits))))


def _searched(
    database: sqlite3.Connection, query: Query, limit: int, ranking: Ranking | None
) -> Found:
    if not query.words:
        if not (query.needed or query.unwanted or query.facets or query.years):
            return Found((), ("There is no word to search for.",))
        return Found(tuple(_by_fields(database, query, limit)), sought=sought_by(query))
    says = list(query.says)
    hits = _in_titles(database, query, limit, ranking)
    corrected = () if hits else _corrected(database, query)
    if corrected:
        meant = dict(corrected)
        query = query.with_words(
            tuple(Word(meant.get(w.text, w.text), w.column, w.is_phrase) for w in query.words)
        )
        for typed, word in corrected:
            says.append(f"Showing “{word}”: nothing here has “{typed}”.")
        hits = _in_titles(database, query, limit, ranking)
    found = _climb(database, query, limit, hits, ranking)
    if found and found[0].has == "some":
        says.append("Nothing has all of these words; these have some.")
    return Found(tuple(found), tuple(says), corrected, sought_by(query))


def _climb(
    database: sqlite3.Connection,
    query: Query,
    limit: int,
    hits: dict[int, Hit],
    ranking: Ranking | None,
) -> list[Hit]:
    """Return the hits in titles, and behind them what has all words anywhere, or some."""
    # stop words say nothing outside of titles, and BM25 takes long to count their rows
    telling = tuple(word for word in query.words if not says_nothing(word.text))
    asked = query.only(telling or query.words)
    # a last word that is whole says more than what begins like it, and takes less time
    whole = replace(asked, ends_open=False)
    _add(hits, database, whole, limit, ranking)
    if _just_begun(asked) and (len(asked.words) > 1 or hits):
        # what begins with one or two letters stands in nearly every abstract
        asked = asked.only(asked.words[:-1])
    words = asked.words
    if words and asked != whole and len(hits) < limit and _are_more(database, asked, len(hits)):
        _add(hits, database, asked, limit, ranking)
    if len(hits) < min(_FEW, limit) and len(words) > 1:
        there = asked.only(
            tuple(
                word
                for word, expression in zip(words, _expressions(asked), strict=True)
                if is_there(database, expression)
            )
        )
        if len(words) > 2 and len(there.words) >= len(words) - 1:
            # one word is wrong: far fewer rows, and better ones, than those with any word
            _add(hits, database, there, limit, ranking, len(words) - 1)
        if there.words and not hits:
            _add(hits, database, there, limit, ranking, 1)
    return list(hits.values())


def _in_titles(
    database: sqlite3.Connection, query: Query, limit: int, ranking: Ranking | None
) -> dict[int, Hit]:
    """Return the rows that have all words in title or authors, by number, in the order of `title_order`."""
    where, values = _where(query, " AND ".join(_expressions(query)), "titles")
    what = f"titles.rowid, highlight(titles, 0, '{OPEN}', '{CLOSE}')"
    sql = f"SELECT {what} FROM {_tables(query, 'titles')} WHERE {where}"
    titles = database.execute(f"{sql} LIMIT ?", (*values, _MANY + 1)).fetchall()
    if len(titles) > _MANY:
        # BM25 counts every row of each word: a title alone is ordered without it, and so is what has just begun
        if _just_begun(query):
            whole = " AND ".join(fts(word) for word in query.words)
            where, values = _where(query, whole, "titles")
            titles = database.execute(f"{sql} LIMIT ?", (*values, _MANY)).fetchall() + titles
        elif ranking is None:
            titles = database.execute(f"{sql} ORDER BY rank LIMIT ?", (*values, _MANY)).fetchall()
        else:
            best = _ranked(database, query, ranking, (where, values), _MANY, table="titles")
            sql += f" AND +titles.rowid IN ({_marks(best)})"
            titles = database.execute(sql, (*values, *best)).fetchall()
    typed = typed_words([word.text for word in query.words])
    order = {number: title_order(title, typed) for number, title in titles}
    shown = sorted(order, key=order.__getitem__)[:limit]
    sql = f"SELECT rows.id, {SHOWN}, {_BEGINNINGS} FROM rows WHERE id IN ({_marks(shown)})"
    found = {number: row for number, *row in database.execute(sql, shown)}
    return {
        number: _hit(found[number], "all", 2 + 1 / place) for place, number in enumerate(shown, 1)
    }


def _add(
    hits: dict[int, Hit],
    database: sqlite3.Connection,
    query: Query,
    limit: int,
    ranking: Ranking | None,
    least: int | None = None,
) -> None:
    """Add the rows that match and are not there yet, best by BM25 first, until there are `limit`.

    Args:
        least: how many words they must have; left out: all.
    """
    if len(hits) >= limit:
        return
    expressions = _expressions(query)
    several = combinations(expressions, least or len(expressions))
    either = [" AND ".join(some) for some in several]
    where, values = _where(query, " OR ".join(f"({some})" for some in either))
    has = "some" if least else "all"
    word = _word_of_snippets(query)
    what = f"{SHOWN}, {_SNIPPETS} FROM fts JOIN rows ON rows.id = fts.rowid"
    if ranking is None:
        # a row that is there already is skipped before its snippet is made, which takes longer than its rank
        sql = (
            f"SELECT rows.id, -rank, {what} "
            f"WHERE {where} AND +rows.id NOT IN ({_marks(hits)}) ORDER BY rank LIMIT ?"
        )
        found = database.execute(sql, (*word, *values, *hits, limit - len(hits)))
        for number, score, *row in found:
            hits[number] = _hit(row, has, (has == "all") + score / (1 + score))
        return
    best = _ranked(database, query, ranking, (where, values), limit, hits, len(either) == 1)
    if not best:
        return
    # FTS5 finds a row of a whole word at once; what begins like a word it puts together anew for each
    one_by_one = "" if expressions == [fts(word) for word in query.words] else "+"
    sql = f"SELECT rows.id, {what} WHERE {where} AND {one_by_one}fts.rowid IN ({_marks(best)})"
    shown = {number: row for number, *row in database.execute(sql, (*word, *values, *best))}
    for number, score in best.items():
        hits[number] = _hit(shown[number], has, (has == "all") + score / (1 + score))


def _ranked(
    database: sqlite3.Connection,
    query: Query,
    ranking: Ranking,
    condition: tuple[str, list[str | int]],
    limit: int,
    hits: Collection[int] = (),
    have_all: bool = True,
    table: str = "fts",
) -> dict[int, float]:
    """Return the best rows that match, beside those there already, and what BM25 gives them, best first."""
    where, values = condition
    sql = f"SELECT group_concat({table}.rowid) FROM {_tables(query, table)} WHERE {where}"
    rows = ranking.without(numbers_in(database.execute(sql, values)), hits)
    words = (*query.needed, *query.words)
    best = ranking.best(rows, words, limit - len(hits), is_open=query.ends_open, have_all=have_all)
    return dict(best)


def _tables(query: Query, table: str) -> str:
    """Return where `_where` looks: the year stands in the rows, and looking each of many up takes long."""
    return f"{table} JOIN rows ON rows.id = {table}.rowid" if query.years else table


def _marks(values: Collection[int]) -> str:
    return ",".join("?" * len(values))


def _by_fields(database: sqlite3.Connection, query: Query, limit: int) -> list[Hit]:
    """Return the rows that fields alone ask for, newest first."""
    where, values = _where(query, "", "fts" if query.needed else "rows")
    of = "fts JOIN rows ON rows.id = fts.rowid" if query.needed else "rows"
    texts, word = (_SNIPPETS, _word_of_snippets(query)) if query.needed else (_BEGINNINGS, [])
    sql = (
        f"SELECT {SHOWN}, {texts} FROM {of} WHERE {where} ORDER BY rows.date DESC, rows.id LIMIT ?"
    )
    return [_hit(row, "all", 0.0) for row in database.execute(sql, (*word, *values, limit))]


def _word_of_snippets(query: Query) -> list[str]:
    """Return the word that a long text is shown from, the longest that was typed, once for each of `_SNIPPETS`."""
    texts = (word.text for word in (query.words or query.needed))
    return [max(texts, key=len).lower()] * _NUM_SNIPPETS


def _where(query: Query, expression: str, table: str = "fts") -> tuple[str, list[str | int]]:
    """Return the conditions of a search of a table in SQL, and their values."""
    where: list[str] = []
    values: list[str | int] = []
    needed = " AND ".join(f"({fts(word)})" for word in query.needed)
    if needed and table == "titles":  # words of fields may stand in other columns
        where.append(f"+{table}.rowid IN (SELECT rowid FROM fts WHERE fts MATCH ?)")
        values.append(needed)
        needed = ""
    if match := " AND ".join(filter(None, [expression, needed])):
        where.append(f"{table} MATCH ?")
        values.append(match)
    for word in query.unwanted:
        where.append(f"{table}.rowid NOT IN (SELECT rowid FROM fts WHERE fts MATCH ?)")
        values.append(fts(word))
    for first, last, inside in query.years:
        where.append(f"coalesce(rows.year BETWEEN ? AND ?, 0) {'=' if inside else '!='} 1")
        values += [first, last]
    for name, value, there in query.facets:
        has = f"EXISTS (SELECT 1 FROM facets WHERE name = ? AND value = ? AND row = {table}.rowid)"
        values += [name, value]
        if name == "key":
            has = f"({has} OR {table}.rowid IN (SELECT id FROM rows WHERE key = ?))"
            values.append(value)
        where.append(has if there else f"NOT {has}")
    return " AND ".join(where), values


def _hit(row: Sequence[str], has: str, score: float) -> Hit:
    key, title, authors, date, place, url, *snippets = row
    text, marks = _shown(snippets)
    return Hit(key, title.replace(JOINT, ""), text, marks, has, score, split_names(authors), date, place, url)  # fmt: skip


def _shown(snippets: Sequence[str]) -> tuple[str, Marks]:
    """Return the snippet with most matches, one with text if none has any."""
    return max(map(marked, snippets), key=lambda one: (len(one[1]), bool(one[0])))


def _expressions(query: Query) -> list[str]:
    """Return each word as FTS5 looks for it, the last one also as the beginning of one: but not "a" or "of"."""
    last = query.words[-1].text.lower()
    is_open = query.ends_open and not (_just_begun(query) and last in STOP_WORDS)
    return [
        *(fts(word) for word in query.words[:-1]), fts(query.words[-1], as_prefix=is_open)
    ]  # fmt: skip


def _just_begun(query: Query) -> bool:
    """Return whether the last word is still to be typed: one or two letters are there. (Scripts without spaces have whole words.)"""
    return query.ends_open and len(query.words[-1].text) <= _BEGUN


def _corrected(database: sqlite3.Connection, query: Query) -> tuple[tuple[str, str], ...]:
    """Return (as typed, as probably meant) for each word that stands nowhere."""
    found = []
    last = len(query.words) - 1
    for number, word in enumerate(query.words):
        if word.is_phrase or is_there(database, fts(word)):
            continue
        if query.ends_open and number == last and is_there(database, fts(word, as_prefix=True)):
            continue
        if (meant := _nearest(database, word.text)) is not None:
            found.append((word.text, meant))
    return tuple(found)


def _are_more(database: sqlite3.Connection, query: Query, count: int) -> bool:
    """Return whether more than so many rows match: quick, since nothing is ranked."""
    sql = "SELECT count(*) FROM (SELECT 1 FROM fts WHERE fts MATCH ? LIMIT ?)"
    expression = " AND ".join(_expressions(query))
    return bool(database.execute(sql, (expression, count + 1)).fetchone()[0] > count)


def _nearest(database: sqlite3.Connection, typed: str) -> str | None:
    """Return the most frequent word that is one edit away, one with the same first letter if there is any."""
    split = tokens(fold(typed))
    if len(split) != 1 or not 4 <= len(split[0]) <= _LONGEST or not typed.isalpha():
        return None
    word = split[0].decode()
    edits = _edits(word)
    marks = ",".join("?" * len(edits))
    rows = database.execute(
        f"SELECT word, rows FROM words WHERE word IN ({marks})", tuple(edits)
    ).fetchall()
    return max(rows, key=lambda row: (row[0][0] == word[0], row[1], row[0]), default=(None,))[0]


def _edits(word: str) -> set[str]:
    """Return what is one letter more, less or other, or two neighbours swapped."""
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    return (
        {a + b[1:] for a, b in halves if b}
        | {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}
        | {a + c + b[1:] for a, b in halves if b for c in _ALPHABET}
        | {a + c + b for a, b in halves for c in _ALPHABET}
    ) - {word}
