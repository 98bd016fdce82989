"""Which section does a paper belong to? `studiolo.index.place` beside one bag of words for each section: `python bench/placing.py`.

Each paper is taken out of its list and placed by what is left. STUDIOLO_DATA names the folder with `arxiv_ml` and `reading_lists`
(8 papers of each of 51 lists); STUDIOLO_SHARED, if set, one with Markdown files in `lists` (30 entries of each; no abstracts).
The bag is what Studiolo did before: cosine of all words of a section with those of the paper, rarity counted over sections.
"""

import math
import os
import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from find import interval, load, paper_rows

from studiolo.index import Row, Shelf, place
from studiolo.index.words import telling_words
from studiolo.library import sections_of
from studiolo.lists import Document


def lists_of_papers(papers):
    """Return (name, shelves) of each list with several sections, each paper with its title and abstract."""
    found = defaultdict(list)
    for section in load("reading_lists/list_sections_dev.jsonl.xz"):
        rows = [papers[key] for key in section["ids"]]
        found[section["list"]].append(Shelf(section["section"], rows))
    return [(name, shelves) for name, shelves in found.items() if len(shelves) > 1]


def lists_of_entries():
    """Return (name, shelves) of each Markdown list with several sections."""
    found = []
    for path in sorted((Path(os.environ["STUDIOLO_SHARED"]) / "lists").glob("*.md")):
        document = Document.load(path)
        rows = {section: [] for section in sections_of(document)}
        for entry in document.entries:
            if (section := document.section_of(entry)) in rows:
                notes = " ".join([entry.name or "", *(note.text for note in entry.notes)])
                rows[section].append(Row(key="", title=entry.title, authors=entry.authors, notes=notes))  # fmt: skip
        if len(rows) > 1:
            found.append((path.name, [Shelf(section.path, some) for section, some in rows.items()]))
    return found


def by_bags(row, shelves):
    """Return the score of each shelf by its bag of words."""
    bags = [
        Counter(telling_words(" ".join(shelf.headings)))
        + Counter(w for one in shelf.rows for w in telling_words(f"{one.title} {one.notes}"))
        for shelf in shelves
    ]
    frequency = Counter(word for bag in bags for word in bag)
    idf = {word: math.log((1 + len(bags)) / count) for word, count in frequency.items()}
    words = Counter(telling_words(f"{row.title} {row.abstract} {row.notes}"))
    query = {w: (1 + math.log(count)) * idf[w] for w, count in words.items() if w in idf}
    scores = []
    for bag in bags:
        weights = {word: (1 + math.log(count)) * idf[word] for word, count in bag.items()}
        norm = math.sqrt(sum(weight**2 for weight in weights.values()))
        shared = sum(query[word] * weights[word] for word in query if word in weights)
        scores.append(shared / norm if norm else 0.0)
    return scores


def by_place(row, shelves):
    """Return the score of each shelf by `place`."""
    scores = [0.0] * len(shelves)
    for found in place(row, shelves):
        scores[found.number] = found.score
    return scores


def accuracy(method, shelves, drawn):
    """Return (share at place 1, share at places 1 to 3, MRR) of papers that are taken out and placed."""
    ranks = []
    for number, at in drawn:
        shelf = shelves[number]
        rest = list(shelves)
        rest[number] = replace(shelf, rows=[*shelf.rows[:at], *shelf.rows[at + 1 :]])
        scores = method(shelf.rows[at], rest)
        ranks.append(sum(score >= scores[number] for score in scores))
    return np.mean([(rank == 1, rank <= 3, 1 / rank) for rank in ranks], axis=0)


def measure(name, lists, count):
    """Print the accuracy of both methods over lists, and the paired interval of their difference."""
    scores = {by_bags: [], by_place: []}
    for title, shelves in lists:
        all_of_it = [
            (number, at)
            for number, shelf in enumerate(shelves)
            for at in range(len(shelf.rows))
            if len(shelf.rows) > 1
        ]
        drawn = random.Random(title).sample(all_of_it, min(count, len(all_of_it)))
        for method, found in scores.items():
            if drawn:
                found.append(accuracy(method, shelves, drawn))
    bags, placed = (np.array(found) for found in scores.values())
    low, high = interval(placed[:, 0] - bags[:, 0])
    for method, found in (("bags of words", bags), ("place", placed)):
        first, third, mrr = found.mean(axis=0)
        print(
            f"| {name}, {len(found)} lists | {method} | {first:.3f} | {third:.3f} | {mrr:.3f} |",
            end="",
        )
        difference = (placed - bags)[:, 0].mean()
        print(f" {difference:+.3f} [{low:+.3f}, {high:+.3f}] |" if method == "place" else " |")


def main():
    """Measure both kinds of lists."""
    print(
        "| lists | method | first | among three | MRR | difference of first, paired |\n| --- | --- | --- | --- | --- | --- |"
    )
    papers = {row.key: row for row in paper_rows()}
    measure("titles and abstracts", lists_of_papers(papers), 8)
    titles = {key: Row(key=key, title=row.title) for key, row in papers.items()}
    measure("titles alone", lists_of_papers(titles), 8)
    if "STUDIOLO_SHARED" in os.environ:
        measure("Markdown files", lists_of_entries(), 30)


if __name__ == "__main__":
    main()
