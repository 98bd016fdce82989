"""What papers say, as regions that measurements can meet or miss.

`load_paper` reads a folder's `paper.toml`; `judge_paper` turns the seeds that were run into verdicts; `check_paper` says
what is wrong with claims before anything runs. Nothing here loads numpy, scipy or torch. See docs/claims.md.
"""

from .check import check_paper, seeds_that_decide
from .history import Earlier, Histories, History, Seen, history_of
from .paper import SCALES, Answer, Axis, By, Ceiling, Claim, Figure, Paper, Point, Scale, Series
from .region import Interval, Region
from .rule import changes, hash_of, rule_of, runs_of
from .schema import NEED, NEEDS, SETS, load_paper
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
    noted,
    outcome_of_check,
)


__all__ = [
    "ALPHA",
    "DOES_NOT_PASS",
    "NEED",
    "NEEDS",
    "PASSES",
    "SCALES",
    "SETS",
    "Answer",
    "Axis",
    "By",
    "Ceiling",
    "Claim",
    "Earlier",
    "Figure",
    "Histories",
    "History",
    "Interval",
    "Paper",
    "Point",
    "Region",
    "Scale",
    "Seed",
    "Seen",
    "Series",
    "Status",
    "Verdict",
    "Word",
    "changes",
    "check_paper",
    "exact",
    "expected_wrong_holds",
    "hash_of",
    "history_of",
    "judge",
    "judge_paper",
    "load_paper",
    "median",
    "noted",
    "outcome_of_check",
    "rule_of",
    "runs_of",
    "seeds_that_decide",
    "share",
    "statistic",
]
