"""Search and suggestions beside arxiv-sanity-lite's recipe, in one run: `python bench/find.py [quality|search|speed|library|million|refusals|linear] …`.

STUDIOLO_DATA names the folder with `arxiv_ml` (51,116 papers) and `reading_lists` (sections of real lists: which papers
stand in them, and draws of k of them as seeds). Times are CPU time of one thread. `quality` takes half an hour, nearly all of it lite's;
`--without-lite` leaves that out, `--lite-draws 40` asks it 40 queries of each k, `--ks 1,3` measures these k alone.
"""

import argparse
import itertools
import json
import lzma
import math
import os
import random
import resource
import sqlite3
import statistics
import string
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from scipy.sparse import csc_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from studiolo.index import Index, Row, suggesting
from studiolo.index.vectors import BLOCK_WEIGHTS
from studiolo.index.words import telling_words
from studiolo.library import Library, find
from studiolo.library.finding import library_rows


KS = (0, 1, 3, 10, 20)


def load(name):
    """Return the lines of a data file."""
    with lzma.open(Path(os.environ["STUDIOLO_DATA"]) / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def paper_rows():
    """Return the papers of `arxiv_ml` as rows."""
    return [
        Row(key=paper["id"], title=paper["title"], authors=paper["authors"], abstract=paper["abstract"], categories=paper["categories"], date=paper["created"])
        for paper in load("arxiv_ml/arxiv_ml.jsonl.xz")
    ]  # fmt: skip


def grown(rows, count):
    """Yield `count` rows: the papers, then new ones, each half of one paper and half of another."""
    rng = random.Random(0)
    yield from rows[:count]
    for number in range(len(rows), count):
        a, b = rng.choice(rows), rng.choice(rows)
        yield Row(
            key=f"spliced/{number}",
            title=f"{a.title[: len(a.title) // 2]} {b.title[len(b.title) // 2 :]}",
            authors=a.authors[:1] + b.authors[1:],
            abstract=f"{a.abstract[: len(a.abstract) // 2]} {b.abstract[len(b.abstract) // 2 :]}",
            categories=a.categories,
            date=b.date,
        )


class Lite:
    """arxiv-sanity-lite's ranking (compute.py and serve.py at d7a303b): tf-idf, and an SVM trained on each request."""

    def __init__(self, rows):
        texts = [f"{row.title} {row.abstract} {' '.join(row.authors)}" for row in rows]
        vectorizer = TfidfVectorizer(
            input="content", encoding="utf-8", decode_error="replace", strip_accents="unicode", lowercase=True,
            analyzer="word", stop_words="english", token_pattern=r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b", ngram_range=(1, 2),
            max_features=20_000, norm="l2", use_idf=True, smooth_idf=True, sublinear_tf=True, max_df=0.1, min_df=5,
        )  # fmt: skip
        vectorizer.fit(texts)
        self.features = vectorizer.transform(texts).astype(np.float32)
        self.number = {row.key: number for number, row in enumerate(rows)}
        self.keys = [row.key for row in rows]

    def suggest(self, seeds, limit=20):
        """Return keys, best first, without the seeds."""
        y = np.zeros(len(self.keys), np.float32)
        y[[self.number[seed] for seed in seeds]] = 1.0
        svm = LinearSVC(class_weight="balanced", verbose=False, max_iter=10_000, tol=1e-6, C=0.01)
        svm.fit(self.features, y)
        order = np.argsort(-svm.decision_function(self.features), kind="stable")
        return [self.keys[n] for n in order[: limit + len(seeds)] if not y[n]][:limit]


def place_of(query):
    """Return the names of a list and its file, as `Index.suggest` takes them."""
    return [query["list"], query["path"].removesuffix(".md")]


def scores_of(found, targets):
    """Return (nDCG@20, recall@20, recall@100, MRR) of keys, best first."""
    targets = set(targets)
    gain = sum(1 / math.log2(n + 2) for n, key in enumerate(found[:20]) if key in targets)
    ideal = sum(1 / math.log2(n + 2) for n in range(min(20, len(targets))))
    first = next((n for n, key in enumerate(found) if key in targets), None)
    return (
        gain / ideal,
        len(targets.intersection(found[:20])) / len(targets),
        len(targets.intersection(found[:100])) / len(targets),
        0.0 if first is None else 1 / (first + 1),
    )


def unit_means(queries, scores):
    """Return units x scores: the mean over draws of a section, over sections of a unit."""
    sections = defaultdict(list)
    for query, score in zip(queries, scores, strict=True):
        section = (query["unit"], query["list"], query["path"], tuple(query["section"]))
        sections[section].append(score)
    units = defaultdict(list)
    for (unit, *_), draws in sections.items():
        units[unit].append(np.mean(draws, axis=0))
    return np.array([np.mean(units[unit], axis=0) for unit in sorted(units)])


def interval(values):
    """Return the 95 % bootstrap interval of a mean over units, 4,000 draws."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(4000, len(values)))].mean(axis=1)
    return np.quantile(means, [0.025, 0.975])


def timed(function, *args, **options):
    """Return (what a function returns, CPU milliseconds)."""
    start = time.process_time()
    result = function(*args, **options)
    return result, 1e3 * (time.process_time() - start)


def quality(without_lite, lite_draws=0, ks=KS):
    """Print nDCG@20 and its kin of each method and k, and the paired difference to lite.

    Args:
        lite_draws: if given, lite answers so many queries of each k only, one a section; differences are over these.
    """
    rows = paper_rows()
    queries = load("reading_lists/queries_dev.jsonl.xz")
    sections = load("reading_lists/list_sections_dev.jsonl.xz")
    followed = defaultdict(set)
    unit_of = {}
    for section in sections:
        followed[section["list"]].update(section["ids"])
        unit_of[section["list"]] = section["unit"]
    index = Index.build(rows)

    def others(query):
        return {name: keys for name, keys in followed.items() if unit_of[name] != query["unit"]}

    methods = {
        "content": lambda q: index.suggest(q["seeds"], limit=100),
        "+ heading path": lambda q: index.suggest(q["seeds"], heading=q["section"], limit=100),
        "+ list and file name": lambda q: index.suggest(
            q["seeds"], heading=q["section"], place=place_of(q), limit=100
        ),
        "+ other people's lists": lambda q: index.suggest(
            q["seeds"], heading=q["section"], place=place_of(q), lists=others(q), limit=100
        ),
    }
    lite = None if without_lite else Lite(rows)
    print(
        "| k | method | nDCG@20 | recall@20 | recall@100 | MRR | to lite (nDCG@20, paired) | CPU ms, median |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for k in ks:
        asked = [query for query in queries if query["k"] == k]
        base = None
        if lite and k:
            some = one_a_section(asked, lite_draws) if lite_draws else asked
            results = [timed(lite.suggest, query["seeds"], 100) for query in some]
            base = some, report(k, f"lite's SVM ({len(some)} queries)", some, results)
        for name, method in methods.items():
            if k or name != "content":
                results = [timed(method, query) for query in asked]
                found = [([one.key for one in result], ms) for result, ms in results]
                report(k, name, asked, found, base)


def one_a_section(queries, count):
    """Return at most `count` queries, each of another section."""
    sections = {}
    for query in random.Random(3).sample(queries, len(queries)):
        sections.setdefault((query["list"], query["path"], tuple(query["section"])), query)
    return list(sections.values())[:count]


def report(k, name, queries, results, base=None):
    """Print a row of the table and return its unit means."""
    scores = [
        scores_of(found, q["targets"]) for q, (found, _) in zip(queries, results, strict=True)
    ]
    means = unit_means(queries, scores)
    low, high = interval(means[:, 0])
    against = ""
    if base is not None:
        some, theirs = base
        score_of = {id(query): score for query, score in zip(queries, scores, strict=True)}
        ours = unit_means(some, [score_of[id(query)] for query in some])
        difference = ours[:, 0] - theirs[:, 0]
        least, most = interval(difference)
        against = f"{difference.mean():+.3f} [{least:+.3f}, {most:+.3f}]"
    ndcg, *rest = means.mean(axis=0)
    ms = statistics.median(ms for _, ms in results)
    print(
        f"| {k} | {name} | {ndcg:.3f} [{low:.3f}, {high:.3f}] | {' | '.join(f'{r:.3f}' for r in rest)} | {against} | {ms:.1f} |",
        flush=True,
    )
    return means


def linear(ks=(10, 20)):
    """Print what a linear SVM over the index's own vectors is worth: C=1, 2,000 sampled negatives, against `suggest`."""
    queries = load("reading_lists/queries_dev.jsonl.xz")
    print("| k | queries | suggest, content | linear SVM | difference, paired |\n| --- | --- | --- | --- | --- |")  # fmt: skip
    rng = np.random.default_rng(0)
    rows = paper_rows()
    with Index.build(rows) as index:
        vectors = vectors_of(index)
        keys = [row.key for row in rows]
        number = {key: n for n, key in enumerate(keys)}
        for k in ks:
            asked = [query for query in queries if query["k"] == k]
            scores = [], []
            for query in asked:
                ours = [one.key for one in index.suggest(query["seeds"])]
                scores[0].append(scores_of(ours, query["targets"]))
                seeds = [number[seed] for seed in query["seeds"]]
                others = np.setdiff1d(rng.choice(len(keys), 2000, replace=False), seeds)
                svm = LinearSVC(class_weight="balanced", C=1.0, tol=1e-4, max_iter=2000)
                svm.fit(vectors[np.concatenate([seeds, others])], np.arange(len(seeds) + len(others)) < len(seeds))  # fmt: skip
                found = vectors @ svm.coef_.ravel()
                found[seeds] = -np.inf
                best = np.argsort(-found, kind="stable")[:20]
                scores[1].append(scores_of([keys[n] for n in best], query["targets"]))
            suggested, svm_means = (unit_means(asked, some)[:, 0] for some in scores)
            low, high = interval(svm_means - suggested)
            difference = (svm_means - suggested).mean()
            print(
                f"| {k} | {len(asked)} | {suggested.mean():.3f} | {svm_means.mean():.3f} | {difference:+.3f} [{low:+.3f}, {high:+.3f}] |",
                flush=True,
            )


def vectors_of(index):
    """Return rows x terms as the index weighs them: a product of two rows is the score of one for the other."""
    database = sqlite3.connect(next(index._folder.glob("build-*")) / "text.sqlite")
    terms = np.array(
        database.execute("SELECT block, start, stop FROM terms ORDER BY start").fetchall()
    )
    block, start, stop = terms.T
    docs = np.frombuffer(index._files[0], np.int32)
    values = np.frombuffer(index._files[1], np.float32)
    weights = np.sqrt(np.array(BLOCK_WEIGHTS, np.float32))[block]
    ends = np.concatenate([start, stop[-1:]]).astype(np.int32)  # as scikit-learn wants them
    values = values * np.repeat(weights, stop - start)
    return csc_array((values, docs, ends), shape=(len(index), len(terms))).tocsr()


def refusals(weights=(0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)):
    """Print what learning from `not-for-me` is worth, by its weight: nDCG@20 against leaving out what was refused.

    The reader sees 20 suggestions and says no to the best 1, 3 or 10 that do not stand in the section. Then the section's
    papers are to be found among the rest. Even units choose a weight, odd units judge it.
    """
    queries = load("reading_lists/queries_dev.jsonl.xz")
    names = sorted({query["unit"] for query in queries})
    print("| k | weight | even units | odd units |\n| --- | --- | --- | --- |", flush=True)
    everything = defaultdict(list)
    suggesting.SURE = 1
    with Index.build(paper_rows()) as index:
        for k in (1, 3, 10):
            asked = one_a_section([query for query in queries if query["k"] == k], 1000)
            results = defaultdict(list)
            for query, count in itertools.product(asked, (1, 3, 10)):
                shown = index.suggest(query["seeds"], heading=query["section"])
                refused = [s.key for s in shown if s.key not in query["targets"]][:count]
                for weight in weights:
                    suggesting.NOT_FOR_ME = weight
                    found = index.suggest(
                        query["seeds"], heading=query["section"], not_for_me=refused
                    )
                    score = scores_of([one.key for one in found], query["targets"])
                    results[weight].append((query, score))
            for weight, some in results.items():
                everything[weight] += some
            _report_refusals(str(k), results, names)
        _report_refusals("all", everything, names)


def _report_refusals(k, results, names):
    for weight in list(results)[1:]:
        texts = []
        for half in (0, 1):
            means = [
                unit_means(*zip(*[(q, s) for q, s in results[w] if names.index(q["unit"]) % 2 == half], strict=True))[:, 0]
                for w in (weight, 0.0)
            ]  # fmt: skip
            difference = means[0] - means[1]
            low, high = interval(difference)
            texts.append(f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]")
        print(f"| {k} | {weight} | {' | '.join(texts)} |", flush=True)


def known_items(rows, count=300, seed=1):
    """Return (words, slip, query, key): what somebody remembers of a title that only one paper has.

    That is three of its words of four letters or more, in the title's order: the rarest ones, any three, or, which is
    hardest, three in a row; as they stand, one inflected, one mistyped, or the last half typed. Any three is how the
    prototypes were measured, as far as their figures tell: of six ways tried, only this one repeats them.
    """
    rng = random.Random(seed)
    frequency = Counter(
        word for row in rows for word in set(telling_words(f"{row.title} {row.abstract}"))
    )
    titles = Counter(row.title.casefold() for row in rows)
    items = []
    while len(items) < 12 * count:
        row = rng.choice(rows)
        words = [
            w
            for w in (w.strip(string.punctuation) for w in row.title.split())
            if len(w) > 3 and w.isalpha() and w.isascii()
        ]
        if len(set(words)) < 4 or titles[row.title.casefold()] > 1:
            continue
        start = rng.randrange(len(words) - 2)
        rare = sorted(set(words), key=lambda word: (frequency[word.lower()], word))[:3]
        some = [words[n] for n in sorted(rng.sample(range(len(words)), 3))]
        for name, three in (
            ("rarest three", sorted(rare, key=words.index)),
            ("any three", some),
            ("three in a row", words[start : start + 3]),
        ):
            which = max(range(3), key=lambda n: len(three[n]))
            for slip, query in (
                ("exact", three),
                ("inflected", replaced(three, which, inflected(three[which]))),
                ("mistyped", replaced(three, which, mistyped(three[which], rng))),
                ("half typed", [*three[:2], three[2][: max(3, len(three[2]) // 2)]]),
            ):
                items.append((name, slip, " ".join(query).lower(), row.key))
    return items


def replaced(words, which, word):
    """Return the words with another one at a place."""
    return [*words[:which], word, *words[which + 1 :]]


def inflected(word):
    """Return another form of a word."""
    for ending, other in (("ing", "ed"), ("ies", "y"), ("ed", "ing"), ("s", "")):
        if word.endswith(ending):
            return word.removesuffix(ending) + other
    return word + "s"


def mistyped(word, rng):
    """Return a word with one edit behind its first letter."""
    at = rng.randrange(1, len(word))
    letter = rng.choice(string.ascii_lowercase)
    return rng.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
        ]
    )


def search():
    """Print how high known items stand, and how long a search takes among 100,000 papers."""
    rows = paper_rows()
    items = known_items(rows)
    print(
        "\n| papers | words | as typed | MRR | first | CPU ms p50 | p99 |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for count in (len(rows), 100_000):
        with Index.build(grown(rows, count)) as index:
            for kind in dict.fromkeys(item[:2] for item in items):
                some = [item for item in items if item[:2] == kind]
                results = [timed(index.search, query) for _, _, query, _ in some]
                ranks = [
                    next((n for n, hit in enumerate(found.hits, start=1) if hit.key == key), None)
                    for (found, _), (*_, key) in zip(results, some, strict=True)
                ]
                mrr = statistics.fmean(1 / rank if rank else 0.0 for rank in ranks)
                times = np.quantile([ms for _, ms in results], [0.5, 0.99])
                print(
                    f"| {count:,} | {' | '.join(kind)} | {mrr:.3f} | {sum(r == 1 for r in ranks) / len(ranks):.0%} | {times[0]:.1f} | {times[1]:.1f} |",
                    flush=True,
                )


def typed(index, rows):
    """Print how long an answer takes at each letter of a title's first words."""
    times = defaultdict(list)
    for row in rows:
        text = " ".join(row.title.split()[:4])
        for end in range(1, len(text) + 1):
            if not text[end - 1].isspace():
                size = min(len(text[:end].split()[-1]), 3)
                times[size].append(timed(index.search, text[:end])[1])
    for size, some in sorted({**times, 0: [*itertools.chain(*times.values())]}.items()):
        p50, p95 = np.quantile(some, [0.5, 0.95])
        name = ("all letters", "words of one letter", "of two", "of three and more")[size]
        print(f"search as it is typed, {name}: {p50:.1f} ms p50, {p95:.1f} ms p95", flush=True)


def library(count=5000):
    """Print what indexing a library of 5,000 entries with notes costs, and a search in it while nothing changes."""
    rows = paper_rows()[:count]
    for abstracts in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            lists = Path(folder) / "lists"
            lists.mkdir()
            lines = ["# Papers"]
            for number, row in enumerate(rows):
                if number % 50 == 0:
                    lines.append(f"\n## {' '.join(row.title.split()[:2])}\n")
                note = row.abstract.split(". ")[0]
                lines += [f"- [{row.title}](https://arxiv.org/abs/{row.key})", f"    - {note}"]
                if abstracts:
                    lines.append(f"    - {row.abstract}")
            (lists / "papers.md").write_text("\n".join(lines) + "\n")
            _, first = timed(find, Library(Path(folder)), "attention")
            prepared = list(library_rows(Library(Path(folder))))
            with tempfile.TemporaryDirectory() as other:
                _, build = timed(Index.build, prepared, Path(other))
            again = [timed(find, Library(Path(folder)), "attention")[1] for _ in range(9)]
            what = "notes and abstracts" if abstracts else "notes"
            print(
                f"a library of {count:,} entries with {what}: first find {first / 1e3:.2f} CPU-s, its index {build / 1e3:.2f} of them; again {statistics.median(again):.0f} ms",
                flush=True,
            )


def speed(count=100_000, with_lite=True):
    """Print what building and asking costs, beside lite."""
    base = paper_rows()
    rows = list(grown(base, count)) if with_lite else grown(base, count)
    queries = load("reading_lists/queries_dev.jsonl.xz")
    rng = random.Random(2)
    with tempfile.TemporaryDirectory() as folder:
        index, ms = timed(Index.build, rows, Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).rglob("*")) / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"\n{count:,} papers: built in {ms / 1e3:.1f} CPU-s, {size:.0f} MB on disk, {peak:.2f} GB of memory at most"
        )
        lite = None
        if with_lite:
            lite, lite_ms = timed(Lite, rows)
            print(f"lite's features: {lite_ms / 1e3:.1f} CPU-s")
        print(
            "| k | CPU ms p50 | p99 | lite, median | times faster |\n| --- | --- | --- | --- | --- |"
        )
        for k in KS:
            asked = rng.sample([q for q in queries if q["k"] == k], 50 if k < 20 else 20)
            times = [timed(index.suggest, q["seeds"], heading=q["section"])[1] for q in asked]
            p50, p99 = np.quantile(times, [0.5, 0.99])
            row = f"| {k} | {p50:.1f} | {p99:.1f} |"
            if lite and k:
                theirs = statistics.median(timed(lite.suggest, q["seeds"])[1] for q in asked[:5])
                row += f" {theirs:.0f} | {theirs / p50:.0f} |"
            else:
                row += " | |"
            print(row, flush=True)
        texts = [
            " ".join(row.title.split()[:3]) for row in itertools.islice(rng.sample(base, 100), 100)
        ]
        for name, text in (
            ("all words found", lambda t: t),
            ("some words", lambda t: t + " zzzzqqq"),
        ):
            times = [timed(index.search, text(t))[1] for t in texts]
            p50, p99 = np.quantile(times, [0.5, 0.99])
            print(f"search, {name}: {p50:.1f} ms p50, {p99:.1f} ms p99", flush=True)
        typed(index, rng.sample(base, 30))


def main():
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["quality", "search", "speed", "library"])
    parser.add_argument("--without-lite", action="store_true")
    parser.add_argument(
        "--lite-draws", type=int, default=0, help="queries of each k for lite; 0: all"
    )
    parser.add_argument(
        "--ks", default=",".join(map(str, KS)), help="numbers of seeds in `quality`"
    )
    options = parser.parse_args()
    for part in options.parts:
        match part:
            case "quality":
                ks = [int(k) for k in options.ks.split(",")]
                quality(options.without_lite, options.lite_draws, ks)
            case "search":
                search()
            case "speed":
                speed(with_lite=not options.without_lite)
            case "library":
                library()
            case "linear":
                linear()
            case "refusals":
                refusals()
            case "million":
                speed(1_000_000, with_lite=False)
            case _:
                parser.error(
                    f"{part!r} is not quality, search, speed, library, refusals, linear or million"
                )


if __name__ == "__main__":
    main()
