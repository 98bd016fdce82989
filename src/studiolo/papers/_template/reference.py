"""{title}, slowly and obviously, in the paper's letters.

n: draws. x_i: draw i.
"""


def m(x: list[float]) -> float:
    """Equation (1): the mean of x_1 .. x_n."""
    n = len(x)
    total = 0.0
    for x_i in x:
        total += x_i
    return total / n
