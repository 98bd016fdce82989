"""Two sets of predictions on the same examples: what was forgotten, beside what chance or training again does.

numpy and scipy only. What is compared comes from arrays, files, sample logs, or models that are asked.
"""

from .comparison import Material, compare
from .conditions import Condition
from .errors import AuditError
from .files import load_side, with_columns, with_label
from .gather import audit
from .result import Accuracy, Audit, Divergence, Examples, Flips, Parts, Pies
from .save import audit_json, examples_csv
from .statistics import (
    benjamini_hochberg,
    cohens_h,
    fisher,
    mcnemar,
    paired_change,
    paired_interval,
    population_change,
    relative_change,
)
from .values import Model, Side
from .votes import Ballots, Ties, agreement, differ, taxicab


__all__ = [
    "Accuracy",
    "Audit",
    "AuditError",
    "Ballots",
    "Condition",
    "Divergence",
    "Examples",
    "Flips",
    "Material",
    "Model",
    "Parts",
    "Pies",
    "Side",
    "Ties",
    "agreement",
    "audit",
    "audit_json",
    "benjamini_hochberg",
    "cohens_h",
    "compare",
    "differ",
    "examples_csv",
    "fisher",
    "load_side",
    "mcnemar",
    "paired_change",
    "paired_interval",
    "population_change",
    "relative_change",
    "taxicab",
    "with_columns",
    "with_label",
]
