"""What papers say, as regions that measurements can meet or miss.

`load_paper` reads a folder's `paper.toml`; `judge_paper` turns the seeds that were run into verdicts; `check_paper` says
what is wrong with claims before anything runs. Nothing here loads numpy, scipy or torch. See docs/claims.md.
"""

from .check import check_paper, seeds_that_decide
from .paper import SCALES, Answer, Axis, By, Ceiling, Claim, Figure, Paper, Point, Scale, Series
from .region import Interval, Region
from .schema import load_paper
from .statistics import ALPHA, exact, median, share, statistic
from .verdict import (
    DOES_NOT_PASS,
    PASSES,
    Seed,
    Status,
    Verdict,
    Word,
    expected_wrong_holds,
    judge,
    judge_paper,
    outcome_of_check,
    rules_tried,
)


__all__ = [
    "ALPHA",
    "DOES_NOT_PASS",
    "PASSES",
    "SCALES",
    "Answer",
    "Axis",
    "By",
    "Ceiling",
    "Claim",
    "Figure",
    "Interval",
    "Paper",
    "Point",
    "Region",
    "Scale",
    "Seed",
    "Series",
    "Status",
    "Verdict",
    "Word",
    "check_paper",
    "exact",
    "expected_wrong_holds",
    "judge",
    "judge_paper",
    "load_paper",
    "median",
    "outcome_of_check",
    "rules_tried",
    "seeds_that_decide",
    "share",
    "statistic",
]
