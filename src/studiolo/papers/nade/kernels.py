"""The dense steps of NADE's recurrence for numba (extra `fast`): one row in cache, a hidden layer only after a change.

A sigmoid layer is carried as E = exp(-a), so that a step is E *= exp(-W_d) and h = 1 / (1 + E): D H exponentials in all
instead of B D H. A ReLU layer is carried as `a` itself. Each short loop is a function of its own, which is what lets
LLVM see that its arrays do not overlap, and so use the CPU's vectors.

Letters: K dimensions of a chunk; x (B, K) of 0 and 1; V, steps (K, H); steps is exp(-W_d), for ReLU W_d.
"""

import inspect
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


Array = NDArray[Any]
_SUMS = {"reassoc", "contract", "arcp", "nsz"}  # order of sums is free, inf and nan are kept


def _compiled(function: Any) -> Any:
    """Compile what is written here, without the checks of types that tests put around it."""
    options = {"cache": True, "error_model": "numpy", "fastmath": _SUMS, "nogil": True}
    return njit(**options)(inspect.unwrap(function))  # type: ignore[call-overload]


@_compiled
def logits(state: Array, x: Array, V: Array, steps: Array, relu: bool, z: Array) -> None:
    """Fill z (B, K) with V_d h_d, from the (B, H) states before the chunk; `state` is used up."""
    h = np.empty_like(V[0])
    for b in range(len(x)):
        _layer(state[b], relu, h)
        for d in range(len(V)):
            if d and x[b, d - 1] != 0:
                _step(state[b], steps[d - 1], relu)
                _layer(state[b], relu, h)
            z[b, d] = _dot(h, V[d])


@_compiled
def gradients(
    state: Array,
    x: Array,
    V: Array,
    steps: Array,
    relu: bool,
    errors: Array,
    s: Array,
    grad_V: Array,
    grad_W: Array,
) -> None:
    """Add to grad_V, grad_W (K, H) and s (B, H), dL/da after the chunk and then before it; `state` is used up."""
    K, H = V.shape
    layers = np.empty((K, H), V.dtype)
    slot = np.zeros(K, np.int64)  # which of them predicts d
    seen = np.zeros(H, V.dtype)  # sum of e_d V_d over the dimensions that one layer predicts
    for b in range(len(x)):
        last = 0
        _layer(state[b], relu, layers[0])
        for d in range(1, K):
            if x[b, d - 1] != 0:
                last += 1
                _step(state[b], steps[d - 1], relu)
                _layer(state[b], relu, layers[last])
            slot[d] = last
        for d in range(K - 1, -1, -1):
            h = layers[slot[d]]
            if x[b, d] != 0:
                _add(grad_W[d], s[b])  # W_d reaches later dimensions only
            _add_scaled(grad_V[d], errors[b, d], h)
            _add_scaled(seen, errors[b, d], V[d])
            if d == 0 or slot[d - 1] != slot[d]:
                _through(s[b], seen, h, relu)


@_compiled
def _step(state: Array, step: Array, relu: bool) -> None:
    if relu:
        for j in range(len(state)):
            state[j] += step[j]
    else:
        for j in range(len(state)):
            state[j] *= step[j]


@_compiled
def _layer(state: Array, relu: bool, h: Array) -> None:
    one, zero = state.dtype.type(1), state.dtype.type(0)
    if relu:
        for j in range(len(h)):
            h[j] = max(state[j], zero)
    else:
        for j in range(len(h)):
            h[j] = one / (one + state[j])


@_compiled
def _through(s: Array, seen: Array, h: Array, relu: bool) -> None:
    """Add dL/dh times dh/da to s, and empty `seen`."""
    zero = s.dtype.type(0)
    for j in range(len(s)):
        if relu:
            s[j] += seen[j] if h[j] > zero else zero
        else:
            s[j] += seen[j] * (h[j] - h[j] * h[j])
        seen[j] = zero


@_compiled
def _dot(h: Array, v: Array) -> float:
    total = h.dtype.type(0)
    for j in range(len(h)):
        total += h[j] * v[j]
    return total


@_compiled
def _add(y: Array, x: Array) -> None:
    for j in range(len(y)):
        y[j] += x[j]


@_compiled
def _add_scaled(y: Array, by: float, x: Array) -> None:
    for j in range(len(y)):
        y[j] += by * x[j]
