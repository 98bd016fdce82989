"""What the benches share: the head of a table, and the cells of two calls that were timed in turn."""

from statistics import median

from studiolo.claims import statistic
from studiolo.measure import Pairs


def print_head(*columns: str) -> None:
    """Print the head of a table."""
    print_row(*columns)
    print_row(*["---"] * len(columns))


def print_row(*cells: object) -> None:
    """Print one row of a table, at once."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def ratio(pairs: Pairs) -> str:
    """Return what a took over what b took, with the order-statistic interval of the pairs (5 % per tail)."""
    found = statistic("median")([a / b for a, b in zip(pairs.a_s, pairs.b_s, strict=True)])
    return f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"


def cells(pairs: Pairs, unit: str = "s", digits: int = 3) -> tuple[str, ...]:
    """Return the cells "ours", "peer", "peer / ours (interval)", "pairs" and "busy" where a is the peer; s or ms."""
    factor = {"s": 1.0, "ms": 1e3}[unit]
    return (
        f"{factor * median(pairs.b_s):.{digits}f}",
        f"{factor * median(pairs.a_s):.{digits}f}",
        ratio(pairs),
        str(len(pairs.a_s)),
        "yes" if pairs.busy else "no",
    )
