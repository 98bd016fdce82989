"""ListOps: nested lists of operations on digits, whose value needs the whole sequence."""

from __future__ import annotations

import numpy as np


OPERATIONS = ("MIN", "MAX", "MED", "SM")
TOKENS = ("[", "]", *OPERATIONS, *"0123456789")


def listops(
    rng: np.random.Generator, *, max_depth: int = 4, max_arguments: int = 5
) -> tuple[list[str], int]:
    """Draw one expression and its value.

    Args:
        max_depth: lists inside lists; 1 is a list of digits.
        max_arguments: the most arguments of an operation; the least is two.

    Returns:
        The tokens, such as ["[", "MAX", "2", "9", "]"], and the value 0 to 9. MED is the lower median, SM the sum
        modulo 10.

    Source: https://arxiv.org/abs/1804.06028; lists close with one bracket there as here.
    """
    operation = OPERATIONS[rng.integers(len(OPERATIONS))]
    tokens, values = ["[", operation], []
    for _ in range(int(rng.integers(2, max_arguments + 1))):
        if max_depth > 1 and rng.random() < 0.25:
            inner, value = listops(rng, max_depth=max_depth - 1, max_arguments=max_arguments)
            tokens += inner
        else:
            value = int(rng.integers(10))
            tokens.append(str(value))
        values.append(value)
    return [*tokens, "]"], _value(operation, values)


def _value(operation: str, values: list[int]) -> int:
    match operation:
        case "MIN":
            return min(values)
        case "MAX":
            return max(values)
        case "MED":
            return sorted(values)[(len(values) - 1) // 2]
        case _:
            return sum(values) % 10
