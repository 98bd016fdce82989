import math
from typing import Any

import pytest

from studiolo.claims import Interval, Region


def region(**table: Any) -> Region:
    return Region.parse(table)


def test_closed_regions_hold_their_edges_and_open_ones_do_not() -> None:
    assert region(at_least=1.5).contains(1.5)
    assert region(at_most=1.5).contains(1.5)
    assert region(between=[1, 2]).contains(1)
    assert region(between=[1, 2]).contains(2)
    assert not region(above=1.5).contains(1.5)
    assert not region(below=1.5).contains(1.5)
    assert region(above=1.5).contains(math.nextafter(1.5, 2))
    assert region(below=1.5).contains(math.nextafter(1.5, 1))


def test_within_a_factor_reaches_as_far_down_as_up() -> None:
    r = region(within=[1.8, 1.25])
    assert (r.low, r.high) == (1.44, 2.25)
    assert r.contains(1.44)
    assert r.contains(2.25)
    assert not r.contains(2.2501)


def test_nan_lies_in_no_region_and_infinity_in_those_without_an_edge_there() -> None:
    for r in (region(at_least=0), region(at_most=0), region(above=0), region(between=[0, 1])):
        assert not r.contains(math.nan)
    assert region(at_least=0).contains(math.inf)
    assert not region(at_least=0).contains(-math.inf)
    assert region(below=0).contains(-math.inf)
    assert not region(between=[0, 1]).contains(math.inf)


@pytest.mark.parametrize(
    ("table", "low", "high", "inside", "outside"),
    [
        ({"at_least": 1}, 1, 2, True, False),
        ({"at_least": 1}, 0, 1, False, False),
        ({"at_least": 1}, 0, 0.9, False, True),
        ({"above": 1}, 1, 2, False, False),
        ({"above": 1}, 0, 1, False, True),
        ({"below": 1}, 1, 2, False, True),
        ({"at_most": 1}, 1, 2, False, False),
        ({"between": [1, 2]}, 1, 2, True, False),
        ({"between": [1, 2]}, 0, 3, False, False),
        ({"between": [1, 2]}, 2.1, 3, False, True),
        ({"between": [1, 2]}, -math.inf, math.inf, False, False),
    ],
)
def test_an_interval_is_inside_outside_or_across(
    table: dict[str, Any], low: float, high: float, inside: bool, outside: bool
) -> None:
    interval = Interval((low + high) / 2, low, high)
    assert region(**table).contains_interval(interval) is inside
    assert region(**table).excludes(interval) is outside


def test_a_region_covers_what_lies_in_it() -> None:
    assert region(above=1).covers(region(within=[1.8, 1.25]))
    assert region(above=1).covers(region(above=1))
    assert region(at_least=1).covers(region(above=1))
    assert not region(above=1).covers(region(at_least=1))
    assert not region(above=1).covers(region(between=[0.5, 2]))
    assert not region(above=1).covers(region(at_most=2))
    assert region(at_most=2).covers(region(below=2))
    assert not region(below=2).covers(region(at_most=2))


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "found nothing; allowed: exactly one of at_least, at_most, between, within, above"),
        ({"at_least": 1, "at_most": 2}, "found at_least, at_most; allowed: exactly one of"),
        ({"over": 1}, "found 'over'; allowed: at_least"),
        ({"at_least": "1"}, 'found at_least = "1"; allowed: numbers'),
        ({"at_least": True}, "found at_least = true; allowed: numbers"),
        ({"at_least": [1, 2]}, r"found at_least = \[1, 2\]; allowed: one number"),
        ({"at_most": math.nan}, "found at_most = nan; allowed: finite numbers"),
        (
            {"between": [2, 1]},
            r"found between = \[2, 1\]; allowed: two numbers, the smaller one first",
        ),
        ({"between": 2}, "found between = 2; allowed: two numbers"),
        (
            {"within": [-1, 2]},
            r"found within = \[-1, 2\]; allowed: a target above 0 and a factor above 1",
        ),
        ({"within": [1, 1]}, "a factor above 1"),
    ],
)
def test_a_region_that_cannot_be_says_what_is_allowed(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Region.parse(table)


def test_a_region_and_an_interval_read_as_text() -> None:
    assert str(region(at_least=1.5)) == "at least 1.5"
    assert str(region(within=[1.8, 1.25])) == "within [1.8, 1.25]"
    assert str(Interval(1.23456, 1, math.inf)) == "1.235 (1 to inf)"
