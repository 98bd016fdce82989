"""Rules, their hashes and differences, and the marks that a claim's past puts beside its verdict."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studiolo.claims import (
    Claim,
    Histories,
    Paper,
    Region,
    Scale,
    Seen,
    changes,
    hash_of,
    history_of,
    rule_of,
)  # fmt: skip


def claim(id: str = "speed", **fields: Any) -> Claim:
    given: dict[str, Any] = {
        "says": f"{id} is faster.", "where": f"Table {id}", "source": "read",
        "scale": Scale("toy", "large", "small"), "run": f"run_{id}", "metric": f"ratio_{id}",
        "region": Region("at_least", (1.3,)), "seeds": 8,
    }  # fmt: skip
    return Claim(id=id, **(given | fields))


def paper(*claims: Claim) -> Paper:
    return Paper(Path("speedy"), "arxiv:1", "Speed", ("A",), 2020, claims=claims)


def seen(one: Claim, day: int, verdict: str = "does not hold", **fields: Any) -> Seen:
    whole = fields.pop("paper", paper(one))
    rule = rule_of(whole, one)
    given: dict[str, Any] = {
        "claim": one.id, "was": one.was, "says": one.says, "where": one.where, "rule": rule,
        "hash": hash_of(rule), "code": "c0", "verdict": verdict, "decided": True,
        "at": f"2026-01-{day:02d}T00:00:00Z",
    }  # fmt: skip
    return Seen(**(given | fields))


def histories(today: Paper, *lines: Seen, code: str = "c0", built_in: bool = False) -> Histories:
    codes = {c.id: code for c in today.claims}
    return history_of(today, lines, codes, built_in=built_in)


def marks(one: Claim, *lines: Seen, **options: Any) -> tuple[str, ...]:
    return histories(paper(one), *lines, **options).of(one.id).marks


def test_claim_that_nobody_changed_has_no_mark() -> None:
    c = claim()
    assert marks(c) == ()
    assert marks(c, seen(c, 1), seen(c, 2), seen(c, 2, "1 of 8 seeds", decided=False)) == ()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"region": Region("at_least", (1.1,))}, "region: at least 1.3 -> at least 1.1"),
        ({"weaker": Region("above", (1.0,))}, "weaker: none -> above 1"),
        ({"metric": "other"}, "metric: ratio_speed -> other"),
        ({"statistic": "share"}, "statistic: median -> share"),
        ({"seeds": 5}, "seeds: 8 -> 5"),
        ({"run": "other"}, "run: run_speed -> other"),
        ({"config": {"n": 3}}, 'config: none -> {"n": 3}'),
        ({"failure": "outside"}, "failure: error -> outside"),
        ({"timeout_s": 500.0}, "timeout_s: 120.0 -> 500.0"),
        ({"timing": True}, "timing: none -> true"),
        ({"needs": ("quiet",)}, 'needs: none -> ["quiet"]'),
        ({"states": 1.5}, "states: none -> 1.5"),
        ({"statistic": "exact", "seeds": 2, "tolerance": 0.1}, "tolerance: none -> 0.1"),
    ],
)  # fmt: skip
def test_every_change_of_a_rule_after_results_is_a_second_rule(
    fields: dict[str, Any], says: str
) -> None:
    before, after = claim(), claim(**fields)
    history = histories(paper(after), seen(before, 1)).of("speed")
    assert (history.tried, history.draws) == (2, 2)
    assert history.marks == ("second rule tried",)
    [earlier] = history.earlier
    assert earlier.verdict == "does not hold"
    assert says in earlier.changed
    assert says in str(earlier)


def test_rules_are_counted_with_todays_however_often_each_was_seen() -> None:
    rules = [claim(seeds=n) for n in (5, 8, 11)]
    lines = [seen(c, day) for day, c in enumerate((*rules, *rules), start=1)]
    assert marks(claim(seeds=13), *lines) == ("fourth rule tried",)
    assert marks(rules[0], *lines) == ("third rule tried",)
    many = [seen(claim(timeout_s=float(n)), 1) for n in range(1, 15)]
    assert marks(claim(), *many) == ("15th rule tried",)


def test_seeds_that_were_looked_at_count_before_the_last_one_came() -> None:
    peeked = seen(claim(), 1, "1 of 8 seeds", decided=False)
    assert marks(claim(seeds=5), peeked) == ("second rule tried",)


def test_dropped_and_changed_controls_and_parts_are_other_rules() -> None:
    null, a, b = claim("null"), claim("a", controls=("null",)), claim("b")
    both = claim("both", run="", metric="", region=None, seeds=0, all_of=("a", "b"))
    before = paper(null, a, b, both)
    lines = [seen(a, 1, paper=before), seen(both, 1, paper=before)]
    bare = replace(a, controls=())
    after = histories(paper(bare, b, replace(both, all_of=("a", "c")), claim("c")), *lines)
    assert after.of("a").earlier[0].changed == ("control null dropped",)
    assert after.of("both").tried == 2
    changed = after.of("both").earlier[0].changed
    assert changed == ("part a changed (control null dropped)", "part b dropped", "part c added")
    weaker = replace(null, config={"n": 2})
    [earlier] = histories(paper(weaker, a, b, both), *lines).of("a").earlier
    assert earlier.changed == ('control null changed (config: none -> {"n": 2})',)


def test_who_says_it_turns_no_verdict_and_is_said_all_the_same() -> None:
    before, after = claim(), claim(by="us")
    assert hash_of(rule_of(paper(before), before)) == hash_of(rule_of(paper(after), after))
    assert marks(after, seen(before, 1)) == ("was a claim of the paper",)
    assert marks(claim(by="us", reworded="ours"), seen(before, 1)) == ("reworded: ours",)


def test_renamed_claim_keeps_its_past_where_it_says_so() -> None:
    old, new = claim(), claim("pace", series=1, was=("speed",))
    assert marks(new, seen(old, 1)) == ("second rule tried",)
    forgotten = replace(new, was=())
    assert marks(forgotten, seen(old, 1), seen(new, 2)) == ("second rule tried",)


def test_renaming_alone_is_no_second_rule() -> None:
    old = claim()
    new = replace(old, id="pace", was=("speed",))
    assert marks(new, seen(old, 1)) == ()


@pytest.mark.parametrize("shared", ["run", "metric", "says", "where"])
def test_claim_that_follows_a_deleted_one_is_marked(shared: str) -> None:
    old = claim()
    new = claim("pace", **{shared: getattr(old, shared)})
    found = histories(paper(new), seen(old, 1))
    assert found.deleted == ("speed was deleted after it was seen: does not hold",)
    assert found.of("pace").marks == ("follows the deleted claim speed",)
    assert histories(paper(claim("pace")), seen(old, 1)).of("pace").marks == ()


def test_claim_that_was_seen_before_the_deleted_one_follows_nothing() -> None:
    old, other = claim(), claim("pace", run="run_speed")
    assert marks(other, seen(other, 1), seen(old, 2)) == ()


def test_claim_that_became_a_control_is_gone() -> None:
    old, new = claim(), claim("pace", controls=("speed",), run="run_speed")
    found = histories(paper(old, new), seen(old, 1))
    assert found.deleted == ("speed was deleted after it was seen: does not hold",)
    assert found.of("pace").marks == ("follows the deleted claim speed",)


@pytest.mark.parametrize(
    ("series", "known", "says"),
    [
        (1, (), "series 1, whose earlier draw is not known"),
        (2, (), "series 2, of whose 2 earlier draws none is known"),
        (3, (0,), "series 3, of whose 3 earlier draws only 1 is known"),
        (3, (0, 1), "series 3, of whose 3 earlier draws only 2 are known"),
    ],
)
def test_series_without_a_past_is_said(series: int, known: tuple[int, ...], says: str) -> None:
    lines = [seen(claim(series=s), 1 + s) for s in known]
    assert says in marks(claim(series=series), *lines)


def test_rewording_that_is_registered_is_said_once_and_is_no_second_rule() -> None:
    old = seen(claim(), 1, shipped=True)
    new = claim(series=1, region=Region("at_least", (1.1,)), reworded="an edge too sharp")
    history = histories(paper(new), old).of("speed")
    assert (history.tried, history.draws) == (1, 1)
    assert history.marks == ("reworded: an edge too sharp",)
    assert history.earlier[0].verdict == "does not hold"


def test_rewording_counts_as_a_try_without_the_next_series_or_the_earlier_rule_in_the_folder() -> (
    None
):
    edge: dict[str, Any] = {
        "region": Region("at_least", (1.1,)),
        "reworded": "an edge too sharp",
    }
    assert "second rule tried" in marks(claim(**edge), seen(claim(), 1, shipped=True))
    assert "second rule tried" in marks(claim(series=1, **edge), seen(claim(), 1))


def test_another_rule_under_the_new_series_is_a_try_like_any_other() -> None:
    lines = [seen(claim(), 1, shipped=True), seen(claim(series=1, seeds=5), 2)]
    found = marks(claim(series=1, reworded="why not"), *lines)
    assert found == ("second rule tried", "reworded: why not")


def test_rewording_twice_is_registered_twice() -> None:
    lines = [
        seen(claim(), 1, shipped=True),
        seen(claim(series=1, reworded="first"), 2, shipped=True, reworded="first"),
    ]
    found = marks(claim(series=2, reworded="second"), *lines)
    assert found == ("reworded: first", "reworded: second")


def test_code_of_a_reader_that_changed_after_results_is_said() -> None:
    c = claim()
    history = histories(paper(c), seen(c, 1), code="c1").of("speed")
    assert history.marks == ("code changed after results (2 versions)",)
    assert (history.tried, history.draws) == (1, 2)


def test_code_that_came_with_another_version_is_no_mark() -> None:
    c = claim()
    lines = [seen(c, 1, built_in=True), seen(c, 2, "holds", code="c1", built_in=True)]
    history = histories(paper(c), *lines, code="c1", built_in=True).of("speed")
    assert history.marks == ()
    assert history.other_code == ("does not hold", "holds")
    same = histories(paper(c), lines[0], replace(lines[0], code="c1"), code="c1", built_in=True)
    assert same.of("speed").other_code == ()


def test_changes_name_what_differs_and_nothing_else() -> None:
    c = claim()
    assert changes(rule_of(paper(c), c), rule_of(paper(c), c)) == []


def test_claim_of_another_name_has_the_history_of_an_unchanged_one() -> None:
    assert Histories().of("nobody").tried == 1
