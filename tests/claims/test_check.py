from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studiolo.claims import (
    Ceiling,
    Claim,
    Figure,
    Paper,
    Region,
    Scale,
    check_paper,
    seeds_that_decide,
)


Check = Callable[..., list[str]]

EXPERIMENTS = """
from studiolo.runs import Outcome
from elsewhere import borrowed

def step_time(*, seed: int, length: int = 512) -> Outcome:
    raise AssertionError("never imported")

def _helper(x):
    return x

def free(*, seed, **config):
    return config

def seedless(length):
    return length
"""


def claim(id: str = "fast", **fields: Any) -> Claim:
    given: dict[str, Any] = {
        "says": "It is faster.",
        "where": "Table 1",
        "source": "read",
        "scale": Scale("toy", "large", "small"),
        "run": "step_time",
        "config": {"length": 64},
        "metric": "ratio",
        "region": Region("at_least", (1.2,)),
        "why": "a fifth is felt",
        "seeds": 8,
    }
    return Claim(id=id, **(given | fields))


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check a paper with this claim and a control that is none of the check's business."""

    def check(one: Claim, *others: Claim, experiments: str | None = EXPERIMENTS) -> list[str]:
        folder = tmp_path / "speedy"
        folder.mkdir(exist_ok=True)
        if experiments is not None:
            (folder / "experiments.py").write_text(experiments)
        control = claim("same", says="It is not.", config={"length": 1})
        one = one if one.controls else replace(one, controls=("same",))
        said = () if one.by == "paper" else (claim("said", says="It is said.", controls=("same",)),)
        claims = (one, control, *others, *said)
        return check_paper(Paper(folder, "doi:10.1/x", "T", ("A",), 2020, claims=claims))

    return check


def test_a_good_paper_has_no_problem(check: Check) -> None:
    assert check(claim(weaker=Region("above", (1.0,)))) == []


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_a_median_of_fewer_than_five_seeds_is_refused(check: Check, seeds: int) -> None:
    assert check(claim(seeds=seeds)) == [
        f"speedy, claim fast: seeds = {seeds} cannot decide a median. Ask for 5 or more."
    ]


@pytest.mark.parametrize(
    ("seeds", "ask"),
    [(6, "5, or for 8"), (7, "5, or for 8"), (9, "8, or for 11"), (12, "11, or for 13"),
     (17, "16, or for 18"), (601, "600, or for 602"), (1000, "999")],
)  # fmt: skip
def test_a_number_of_seeds_that_buys_nothing_is_refused(check: Check, seeds: int, ask: str) -> None:
    (problem,) = check(claim(seeds=seeds))
    assert f"seeds = {seeds} decides a median less often than fewer" in problem
    assert problem.endswith(f" Ask for {ask}.")


@pytest.mark.parametrize("seeds", [5, 8, 11, 13, 16, 18])
def test_the_useful_numbers_of_seeds_pass(check: Check, seeds: int) -> None:
    assert check(claim(seeds=seeds)) == []


@pytest.mark.parametrize(
    ("region", "enough"),
    [
        ({"at_least": 0.5}, 5),
        ({"above": 0.5}, 5),
        ({"at_least": 0.8}, 14),
        ({"at_least": 0.9}, 29),
        ({"at_most": 0.1}, 29),
        ({"between": [0.4, 0.6]}, 76),
    ],
)
def test_a_share_needs_enough_seeds_to_decide(
    check: Check, region: dict[str, Any], enough: int
) -> None:
    r = Region.parse(region)
    assert seeds_that_decide("share", r) == enough
    share = claim(metric="wins", statistic="share", region=r)
    (problem,) = check(replace(share, seeds=enough - 1))
    assert problem.endswith(f"could make a share of {r} hold. Ask for {enough}.")


def test_enough_seeds_for_a_share_pass(check: Check) -> None:
    region = Region("at_least", (0.8,))
    assert check(claim(metric="wins", statistic="share", region=region, seeds=14)) == []


def test_a_share_that_nothing_can_refute_is_refused(check: Check) -> None:
    rare = claim(metric="wins", statistic="share", region=Region("at_least", (0.05,)), seeds=29)
    (problem,) = check(rare)
    assert "no outcome could make a share of at least 0.05 not hold. Ask for 59." in problem


@pytest.mark.parametrize("region", [Region("at_least", (1.0,)), Region("between", (0.0, 1.0))])
def test_a_share_that_no_number_of_seeds_decides_is_refused(check: Check, region: Region) -> None:
    (problem,) = check(claim(metric="wins", statistic="share", region=region))
    assert "No number up to 1000 can; change the region." in problem


@pytest.mark.parametrize(
    ("metric", "region"),
    [
        ("gain", Region("above", (0.0,))),
        ("gain", Region("at_most", (0.0,))),
        ("ratio", Region("above", (1.0,))),
        ("time_ratio", Region("at_most", (1.0,))),
        ("speedup", Region("at_least", (1.0,))),
        ("median_speed_up", Region("above", (1.0,))),
    ],
)
def test_a_region_that_begins_at_no_effect_is_refused(
    check: Check, metric: str, region: Region
) -> None:
    (problem,) = check(claim(metric=metric, region=region, ceiling=Ceiling(None, "operations")))
    assert f"region ({region}) has no smallest effect of interest, only a direction" in problem


def test_a_region_no_narrower_than_its_direction_is_refused(check: Check) -> None:
    (problem,) = check(
        claim(metric="rise", region=Region("at_least", (2.0,)), weaker=Region("above", (2.0,)))
    )[:1]
    assert "no smallest effect of interest" in problem


def test_zero_itself_and_exact_claims_need_no_smallest_effect(tmp_path: Path) -> None:
    (tmp_path / "experiments.py").write_text(EXPERIMENTS)
    zero = claim(metric="gap", region=Region("between", (0.0, 0.0)), controls=("same",))
    exact = claim(
        "bytes", says="Less.", metric="gap", region=Region("above", (0.0,)),
        statistic="exact", seeds=1,
    )  # fmt: skip
    paper = Paper(
        tmp_path, "doi:10.1/x", "T", ("A",), 2020, claims=(zero, exact, claim("same", metric="gap"))
    )
    assert check_paper(paper) == []


def test_a_region_without_its_reason_is_refused(check: Check) -> None:
    (problem,) = check(claim(why=""))
    assert "no why. Say why at least 1.2 is the smallest effect of interest." in problem


def test_an_exact_number_is_its_own_reason(check: Check) -> None:
    number = Region("between", (899.0, 899.0))
    assert check(claim(region=number, statistic="exact", seeds=1, why="")) == []


def test_a_weaker_region_that_is_not_weaker_is_refused(check: Check) -> None:
    (problem,) = check(claim(weaker=Region("above", (1.5,))))
    assert "weaker (above 1.5) does not contain all of region (at least 1.2). Widen it." in problem


def test_a_paper_without_claims_controls_or_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "experiments.py").write_text(EXPERIMENTS)
    paper = Paper(tmp_path, "arxiv:2105.03824", "T", ("A",), 2021)
    version, claims = check_paper(paper)
    assert (
        'no version. Claims differ between versions; say which was read, version = "v1"' in version
    )
    assert "no [[claim]]. Say what the paper says" in claims
    paper = replace(paper, version="v4", claims=(claim(),))
    (controls,) = check_paper(paper)
    assert "no claim names a control. Add a claim that must not hold" in controls


def test_a_control_that_measures_the_same_is_refused(check: Check) -> None:
    twin = claim("twin", says="It is not.")
    (problem,) = check(claim(controls=("twin",)), twin)
    assert "its control 'twin' measures exactly the same. Switch the effect off" in problem


def test_an_heir_that_says_the_same_is_refused(check: Check) -> None:
    (problem,) = check(claim(), claim("longer", like="fast", config={"length": 128}))
    assert problem == (
        "speedy, claim longer: says the same as 'fast', from which it inherits. Say how it differs."
    )


def test_an_experiment_that_is_not_there_is_named(check: Check) -> None:
    (problem,) = check(claim(run="step_tiem"))
    assert (
        "run = 'step_tiem' is not a function of experiments.py. There are: step_time, free"
        in problem
    )
    assert "_helper" not in problem


def test_a_config_that_the_experiment_does_not_take_is_named(check: Check) -> None:
    (problem,) = check(claim(config={"len": 3}))
    assert "config names 'len', which step_time does not take. It takes length." in problem


def test_an_experiment_without_a_seed_is_told(check: Check) -> None:
    (problem,) = check(claim(run="seedless"))
    assert (
        "the experiment seedless takes no keyword-only seed. Start it with `def seedless(*,"
        in problem
    )


@pytest.mark.parametrize("run", ["free", "borrowed"])
def test_what_cannot_be_known_from_the_text_is_not_refused(check: Check, run: str) -> None:
    assert check(claim(run=run, config={"anything": 1})) == []


def test_missing_and_broken_experiments_are_one_problem(tmp_path: Path, check: Check) -> None:
    (missing,) = check(claim(), experiments=None)
    assert "experiments.py: there is no such file" in missing
    (tmp_path / "speedy" / "experiments.py").write_text("def (")
    (tmp_path / "speedy").rename(tmp_path / "other")
    (broken,) = check(claim(), experiments="def (")
    assert "experiments.py: not Python: invalid syntax" in broken


def test_figures_are_held_against_the_experiments(tmp_path: Path) -> None:
    (tmp_path / "experiments.py").write_text(EXPERIMENTS)
    figure = Figure("curve", "T", "D.", "nothing", "lines")
    claims = (claim(controls=("same",)), claim("same", config={"length": 1}))
    paper = Paper(tmp_path, "doi:1", "T", ("A",), 2020, claims=claims, figures=(figure,))
    (problem,) = check_paper(paper)
    assert f"{tmp_path.name}, figure curve: run = 'nothing' is not a function" in problem


# What a sentence says of itself.


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"where": "no place in the paper"}, "What the paper does not say is a question of ours: by = \"us\"."),
        ({"where": "no place in the paper; arXiv 2003.01897"}, "is a question of ours"),
        ({"by": "us", "where": ""}, 'source = "read" without a place. Say where it was read, or leave the source out.'),
        ({"by": "us", "where": "No place in the paper."}, 'source = "read" without a place'),
        ({"scale": Scale("paper", "every size", "384 by 192")}, "the paper means 'every size' and here it is '384 by 192'"),
        ({"scale": Scale("paper", "Base", "Base")}, "'Base' states no size. Write the paper's size in numbers"),
        ({"states": 1.25, "says": "It is at least 1.2 times."}, "states 1.25, which does not stand in says"),
        ({"states": 1.19, "says": "It is 1.19 times."}, "states 1.19, but region (at least 1.2) excludes it. Move"),
        ({"states": 1.3, "says": "It is 1.3 times."}, "agrees with everything above it as well. Write a region around 1.3"),
        ({"metric": "loss_nats", "says": "It needs 13.19 nats."}, "says '13.19 nats', the unit of loss_nats. Write the number"),
        ({"metric": "kept_percent", "says": "92% is kept."}, "says '92%', the unit of kept_percent"),
        ({"timing": True}, "no ceiling. Say how much can be reached at the size that is run"),
        ({"metric": "speed_up"}, "no ceiling"),
        ({"metric": "peak_bytes_ratio"}, "no ceiling"),
        ({"metric": "flops_share_mean"}, "no ceiling"),
        ({"timing": True, "ceiling": Ceiling(1.1, "FLOPs")}, "its ceiling is 1.1, so region (at least 1.2) cannot be reached"),
        ({"timing": True, "ceiling": Ceiling(0.9), "region": Region("at_most", (0.8,))}, "its ceiling is 0.9, so region"),
        ({"timing": True, "ceiling": Ceiling(1.2), "region": Region("above", (1.2,))}, "its ceiling is 1.2, so region"),
        ({"timing": True, "ceiling": Ceiling(1.2), "region": Region("within", (1.8, 1.25))}, "its ceiling is 1.2, so"),
    ],
)  # fmt: skip
def test_a_claim_that_its_own_words_contradict_is_refused(
    check: Check, fields: dict[str, Any], sentence: str
) -> None:
    (problem,) = check(claim(**fields))
    assert problem.startswith("speedy, claim fast: ")
    assert sentence in problem


@pytest.mark.parametrize(
    "fields",
    [
        {"by": "us", "where": "", "source": ""},
        {"where": "Section 3, which gives no place in time"},
        {"scale": Scale("paper", "every n up to 9", "all of them: every n up to 9")},
        {"scale": Scale("paper", "d = 1000", "the same")},
        {"states": 1.3, "says": "It is at least 1.3 times as fast."},
        {"states": 1300.0, "says": "It needs 1,300 nats.", "region": Region("within", (1300.0, 1.1))},
        {"states": 0.92, "says": "It keeps 92 % of it.", "region": Region("between", (0.9, 0.97))},
        {"states": 1e-3, "says": "It is 1e-3.", "region": Region("between", (0.0, 0.01))},
        {"metric": "loss_nats", "says": "It gains a tenth of a nat on 2 layers."},
        {"metric": "kept_bits", "says": "It needs 4 bits where others need 8 bits."},
        {"metric": "step_gain"},
        {"metric": "over_ridge"},
        {"timing": True, "ceiling": Ceiling(None, "8 d + 4 l over 16 d operations")},
        {"timing": True, "ceiling": Ceiling(1.5, "operations")},
        {"timing": True, "ceiling": Ceiling(0.5), "region": Region("at_most", (0.8,))},
        {"by": "code", "where": "", "source": "", "scale": Scale("", "", ""), "metric": "speed_up"},
    ],
)  # fmt: skip
def test_a_claim_that_agrees_with_its_own_words_passes(
    check: Check, fields: dict[str, Any]
) -> None:
    assert check(claim(**fields)) == []


def test_a_control_needs_neither_place_nor_ceiling(check: Check) -> None:
    control = {"where": "", "source": "", "timing": True, "scale": Scale("paper", "any", "one")}
    own = claim("absent", says="It is not.", **({"config": {"length": 2}} | control))
    assert check(claim(controls=("absent",)), own) == []
    (problem,) = check(claim(controls=("absent",)), replace(own, source="read"))
    assert 'claim absent: source = "read" without a place' in problem


def test_a_paper_of_checks_alone_says_nothing() -> None:
    paper = Paper(Path("nowhere"), "doi:10.1/x", "T", ("A",), 2020, claims=(claim(by="code"),))
    assert check_paper(paper)[0].startswith("nowhere, paper.toml: no [[claim]]. Say what")


def test_experiments_nested_too_deeply_are_one_sentence(check: Check) -> None:
    (problem,) = check(claim(), experiments="x = " + "-" * 20_000 + "1\n")
    assert problem.endswith("experiments.py: not Python: nested too deeply.")


def test_problem_that_a_claim_inherits_is_told_once(check: Check) -> None:
    heirs = [claim(f"heir-{n}", says=f"Heir {n}.", like="fast", why="", run="nowhere", config={"length": n}) for n in range(3)]  # fmt: skip
    said = check(claim(why="", run="nowhere"), *heirs)
    assert [line.partition(":")[0] for line in said if "no why" in line] == ["speedy, claim fast"]
    assert [line.partition(":")[0] for line in said if "nowhere" in line] == ["speedy, claim fast"]
    assert any("heir-0: no why" in line for line in check(claim(), *heirs))
