"""FAVOR+ with positive features on a CUDA device, in Triton: features live in registers and are never written.

`favor_attention` here is the twin of the one in `model.py`, which asks `refusal` whether a case is served.
A sequence is cut into segments, so that all multiprocessors have work, and these into parts. `_sum_parts` sums the
keys of each part, `_accumulate` adds the sums of the parts before, and `_attend` goes through a segment in chunks.
The gradient of the queries goes the same way (`_query_gradient`); for that of keys and values `_sum_queries` sums
what queries send back, and `_key_gradient` goes through each segment from its end.

All logarithms are to the base 2, and w is multiplied by d^-¼ log₂ e first, so that a feature costs one
exponential. A feature's scale is its running maximum, as in `blocks.py`. A query's scale is its largest
feature on the way there, and on the way back log₂ of its sum of weights (`log_weight`), so that products
of features are attention weights. The column of ones of [V 1] is kept apart, as `counts`.

`if left > 0` is always true. Triton gives all warps to the rows of a product whose result goes into another one,
and the 64 rows of a chunk are work for four warps: the other four would do the same again. It does not look
through a branch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd import Function

from .features import RandomFeatures


NOTHING_SEEN = -1e29
"""A feature's log₂ scale before the first key; finite, for −inf − (−inf) is NaN."""
HIDDEN = 1e30
"""What is taken from the log₂ features of a key that is not there."""

_NONE = tl.constexpr(NOTHING_SEEN)
_HIDDEN = tl.constexpr(HIDDEN)


@dataclass(frozen=True)
class Tiles:
    """How a kernel is cut. `warps` and `stages` are of the kernels in order of `KERNELS`."""

    chunk: int = 64
    """Tokens that are turned into a matrix product at a time; a power of 2, at least 16."""
    segments: int | None = None
    """How many programs share the length of a head; None takes what leaves the fewest multiprocessors idle."""
    per: int | None = None
    """In how many parts a segment is summed; None takes two programs for each multiprocessor in all."""
    warps: tuple[int, ...] = (8, 8, 8, 8, 8)
    stages: tuple[int, ...] = (2, 2, 2, 2, 2)


KERNELS = ("_sum_parts", "_attend", "_query_gradient", "_sum_queries", "_key_gradient")
TILES = Tiles()
WINS = False
"""Whether "auto" takes these programs. Not before a device's record shows that they are faster."""


@triton.jit
def _tile(base, stride, rows, columns, left, WIDTH: tl.constexpr, PADDED: tl.constexpr):  # type: ignore[no-untyped-def]
    """Load rows of a matrix; zeros from row `left` on and beyond its width."""
    seen = rows[:, None] < left
    if WIDTH != PADDED:
        seen = seen & (columns[None, :] < WIDTH)
    return tl.load(base + rows[:, None] * stride + columns[None, :], mask=seen, other=0.0)


@triton.jit
def _put(base, stride, rows, columns, left, x, WIDTH: tl.constexpr, PADDED: tl.constexpr):  # type: ignore[no-untyped-def]
    """Store what `_tile` loads."""
    seen = rows[:, None] < left
    if WIDTH != PADDED:
        seen = seen & (columns[None, :] < WIDTH)
    to = base + rows[:, None] * stride + columns[None, :]
    tl.store(to, x.to(base.dtype.element_ty), mask=seen)


@triton.jit
def _square(base, D: tl.constexpr, BM: tl.constexpr, BD: tl.constexpr, M: tl.constexpr):  # type: ignore[no-untyped-def]
    """Load w, (BM, BD)."""
    r = tl.arange(0, BM)
    x = tl.arange(0, BD)
    return tl.load(
        base + r[:, None] * D + x[None, :],
        mask=(r[:, None] < M) & (x[None, :] < D),
        other=0.0,
    )


@triton.jit
def _half_norms(k, rows, left, half):  # type: ignore[no-untyped-def]
    """Return log₂ e |y|²/2 of every key, and `_HIDDEN` for one that is not there."""
    wide = k.to(tl.float32)
    return tl.where(rows < left, tl.sum(wide * wide, 1) * half, _HIDDEN)


@triton.jit(do_not_specialize=["heads", "group", "length", "part", "parts"])
def _sum_parts(
    K, V, W, LOG_MAX, COUNTS, SUMS,
    k_b, k_h, k_t, v_b, v_h, v_t,
    heads, group, length, part, parts, half,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Sum φ(k) [v 1] over the keys of one part of one head."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    batch, head = (n // heads).to(tl.int64), ((n % heads) // group).to(tl.int64)
    w = _square(W, D, BM, BD, M)
    log_max = tl.full((BM,), _NONE, tl.float32)
    counts = tl.zeros((BM,), tl.float32)
    sums = tl.zeros((BM, BE), tl.float32)
    K += batch * k_b + head * k_h
    V += batch * v_b + head * v_h
    first = p * part
    for start in range(first, tl.minimum(first + part, length), C):
        at = tl.cast(start, tl.int64)
        k = _tile(K + at * k_t, k_t, c, x, length - start, D, BD)
        v = _tile(V + at * v_t, v_t, c, e, length - start, E, BE).to(OPERAND)
        key = tl.dot(w, tl.trans(k), input_precision=PRECISION)
        key -= _half_norms(k, c, length - start, half)[None, :]
        scale = tl.maximum(log_max, tl.max(key, 1))
        key = tl.exp2(key - scale[:, None])
        shrink = tl.exp2(log_max - scale)
        counts = counts * shrink + tl.sum(key, 1)
        sums = tl.dot(key.to(OPERAND), v, sums * shrink[:, None], input_precision=PRECISION)
        log_max = scale
    slot = (n * (parts + 1) + p).to(tl.int64) * BM
    tl.store(LOG_MAX + slot + r, log_max)
    tl.store(COUNTS + slot + r, counts)
    tl.store(SUMS + (slot + r[:, None]) * BE + e[None, :], sums)


@triton.jit(do_not_specialize=["summed", "parts"])
def _accumulate(
    PART_MAX, PART_COUNTS, PART_SUMS, LOG_MAX, COUNTS, SUMS, summed, parts,
    BE: tl.constexpr, BM: tl.constexpr, ROWS: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write for each part that was summed the sums of all parts before, and for the next one those of all."""
    r, e = tl.program_id(1) * ROWS + tl.arange(0, ROWS), tl.arange(0, BE)
    log_max = tl.full((ROWS,), _NONE, tl.float32)
    counts = tl.zeros((ROWS,), tl.float32)
    sums = tl.zeros((ROWS, BE), tl.float32)
    begin = tl.program_id(0).to(tl.int64) * (parts + 1) * BM
    for p in range(summed):
        slot = begin + p * BM
        tl.store(LOG_MAX + slot + r, log_max)
        tl.store(COUNTS + slot + r, counts)
        tl.store(SUMS + (slot + r[:, None]) * BE + e[None, :], sums)
        more_max = tl.load(PART_MAX + slot + r)
        scale = tl.maximum(log_max, more_max)
        old, new = tl.exp2(log_max - scale), tl.exp2(more_max - scale)
        counts = counts * old + tl.load(PART_COUNTS + slot + r) * new
        more = tl.load(PART_SUMS + (slot + r[:, None]) * BE + e[None, :])
        sums = sums * old[:, None] + more * new[:, None]
        log_max = scale
    slot = begin + summed * BM
    tl.store(LOG_MAX + slot + r, log_max)
    tl.store(COUNTS + slot + r, counts)
    tl.store(SUMS + (slot + r[:, None]) * BE + e[None, :], sums)
    if summed < parts:  # nothing comes after the last segment: zeros shrink to zeros
        tl.store(LOG_MAX + begin + parts * BM + r, tl.full((ROWS,), _HIDDEN, tl.float32))


@triton.jit(do_not_specialize=["parts", "per"])
def _accumulate_back(
    LOG_MAX, PART_COUNTS, PART_SUMS, COUNTS, SUMS, parts, per,
    BE: tl.constexpr, BM: tl.constexpr, ROWS: tl.constexpr, CAUSAL: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write for the last part of each segment what the queries of all later ones send back.

    The parts of a segment were summed with the scale at its begin; an earlier segment gets them with that of
    the segment after it. Without `CAUSAL` slot 0 gets the sum of all.
    """
    r, e = tl.program_id(1) * ROWS + tl.arange(0, ROWS), tl.arange(0, BE)
    counts = tl.zeros((ROWS,), tl.float32)
    sums = tl.zeros((ROWS, BE), tl.float32)
    begin = tl.program_id(0).to(tl.int64) * (parts + 1) * BM
    log_max = tl.full((ROWS,), _HIDDEN, tl.float32)
    first = per if CAUSAL else 0
    for i in range(parts - first):
        p = parts - 1 - i
        slot = begin + p * BM
        if CAUSAL:
            tl.store(COUNTS + slot + r, counts)
            tl.store(SUMS + (slot + r[:, None]) * BE + e[None, :], sums)
            scale = tl.load(LOG_MAX + begin + p // per * per * BM + r)
            shrink = tl.exp2(scale - log_max)
            counts *= shrink
            sums *= shrink[:, None]
            log_max = scale
        counts += tl.load(PART_COUNTS + slot + r)
        sums += tl.load(PART_SUMS + (slot + r[:, None]) * BE + e[None, :])
    slot = begin + (per - 1 if CAUSAL else 0) * BM
    tl.store(COUNTS + slot + r, counts)
    tl.store(SUMS + (slot + r[:, None]) * BE + e[None, :], sums)


@triton.jit(do_not_specialize=["heads", "group", "length", "part", "parts", "per", "chunks"])
def _attend(
    Q, K, V, W, OUT, LOG_WEIGHT, LOG_MAX, COUNTS, SUMS, CHUNK_MAX, CHUNK_COUNTS,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t, o_b, o_h, o_t,
    heads, group, length, part, parts, per, chunks, half,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr,
    CAUSAL: tl.constexpr, BEGINS: tl.constexpr, SAVE: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write the output of one part of one head, and log₂ of each row's sum of weights."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = _square(W, D, BM, BD, M)
    Q += batch * q_b + head * q_h
    K += batch * k_b + head // group * k_h
    V += batch * v_b + head // group * v_h
    OUT += batch * o_b + head * o_h
    LOG_WEIGHT += n.to(tl.int64) * length
    if BEGINS:
        log_max = tl.full((BM,), _NONE, tl.float32)
        counts = tl.zeros((BM,), tl.float32)
        sums = tl.zeros((BM, BE), tl.float32)
    else:
        slot = (n * (parts + 1) + (p * per if CAUSAL else parts)).to(tl.int64) * BM
        log_max = tl.load(LOG_MAX + slot + r)
        counts = tl.load(COUNTS + slot + r)
        sums = tl.load(SUMS + (slot + r[:, None]) * BE + e[None, :])
    first = p * part
    for start in range(first, tl.minimum(first + part, length), C):
        at = tl.cast(start, tl.int64)
        left = length - start
        q = _tile(Q + at * q_t, q_t, c, x, left, D, BD)
        if CAUSAL:
            k = _tile(K + at * k_t, k_t, c, x, left, D, BD)
            v = _tile(V + at * v_t, v_t, c, e, left, E, BE).to(OPERAND)
            wide_key = tl.dot(w, tl.trans(k), input_precision=PRECISION)
            wide_key -= _half_norms(k, c, left, half)[None, :]
            scale = tl.maximum(log_max, tl.max(wide_key, 1))
            wide_key = tl.exp2(wide_key - scale[:, None])
            key = wide_key.to(OPERAND)
            shrink = tl.exp2(log_max - scale)
            counts *= shrink
            more = tl.sum(wide_key, 1)
            sums *= shrink[:, None]
            log_max = scale
            if SAVE:
                slot = (n.to(tl.int64) * chunks + start // C) * BM
                tl.store(CHUNK_MAX + slot + r, log_max)
                tl.store(CHUNK_COUNTS + slot + r, counts)
        wide = tl.dot(q, tl.trans(w), input_precision=PRECISION)
        if left > 0:
            wide += log_max[None, :]
        if M != BM:
            wide = tl.where(r[None, :] < M, wide, -_HIDDEN)
        top = tl.max(wide, 1)
        wide = tl.exp2(wide - top[:, None])
        weight = tl.sum(wide * counts[None, :], 1)
        query = wide.to(OPERAND)
        seen = tl.dot(query, sums.to(OPERAND), input_precision=PRECISION)
        if CAUSAL:
            pairs = tl.dot(query, key, input_precision=PRECISION)
            if left > 0:
                pairs = tl.where(c[:, None] >= c[None, :], pairs, 0.0)
                weight += tl.sum(pairs, 1)
                inverse = 1.0 / tl.where(weight == 0.0, 1.0, weight)
                pairs *= inverse[:, None]
                seen *= inverse[:, None]
            seen = tl.dot(pairs.to(OPERAND), v, seen, input_precision=PRECISION)
            counts += more
            sums = tl.dot(key, v, sums, input_precision=PRECISION)
        else:
            seen = seen / tl.where(weight == 0.0, 1.0, weight)[:, None]
        _put(OUT + at * o_t, o_t, c, e, left, seen, E, BE)
        if SAVE:
            log_weight = tl.where(weight == 0.0, _HIDDEN, top + tl.log2(weight))
            tl.store(LOG_WEIGHT + start + c, log_weight, mask=c < left)


@triton.jit(do_not_specialize=["heads", "group", "length", "part", "parts", "per", "chunks"])
def _query_gradient(
    Q, K, V, W, OUT, D_OUT, LOG_WEIGHT, DELTA, LOG_MAX, COUNTS, SUMS, CHUNK_MAX, CHUNK_COUNTS, D_Q,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t, o_b, o_h, o_t,
    heads, group, length, part, parts, per, chunks, half, turn,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr, CAUSAL: tl.constexpr, BEGINS: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write the gradient of the queries of one part of one head, and delta, the product of output and its gradient."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = _square(W, D, BM, BD, M)
    Q += batch * q_b + head * q_h
    K += batch * k_b + head // group * k_h
    V += batch * v_b + head // group * v_h
    OUT += batch * o_b + head * o_h
    rows = n.to(tl.int64) * length
    D_OUT += rows * E
    D_Q += rows * D
    LOG_WEIGHT += rows
    DELTA += rows
    slot = (n * (parts + 1) + (p * per if CAUSAL else parts)).to(tl.int64) * BM
    if BEGINS:
        log_max = tl.full((BM,), _NONE, tl.float32)
        counts = tl.zeros((BM,), tl.float32)
        sums = tl.zeros((BM, BE), tl.float32)
    else:
        log_max = tl.load(LOG_MAX + slot + r)
        counts = tl.load(COUNTS + slot + r)
        sums = tl.load(SUMS + (slot + r[:, None]) * BE + e[None, :])
    first = p * part
    for start in range(first, tl.minimum(first + part, length), C):
        at = tl.cast(start, tl.int64)
        left = length - start
        q = _tile(Q + at * q_t, q_t, c, x, left, D, BD)
        d_out = _tile(D_OUT + at * E, E, c, e, left, E, BE)
        out = _tile(OUT + at * o_t, o_t, c, e, left, E, BE)
        log_weight = tl.load(LOG_WEIGHT + start + c, mask=c < left, other=_HIDDEN)
        delta = tl.sum(out.to(tl.float32) * d_out.to(tl.float32), 1)
        tl.store(DELTA + start + c, delta, mask=c < left)
        d_out = d_out.to(OPERAND)
        if CAUSAL:
            k = _tile(K + at * k_t, k_t, c, x, left, D, BD)
            v = _tile(V + at * v_t, v_t, c, e, left, E, BE).to(OPERAND)
            slot = (n.to(tl.int64) * chunks + start // C) * BM
            scale = tl.load(CHUNK_MAX + slot + r)
            counts = tl.load(CHUNK_COUNTS + slot + r)
            sums *= tl.exp2(log_max - scale)[:, None]
            log_max = scale
        narrow = tl.trans(sums.to(OPERAND))
        if CAUSAL:
            wide = tl.dot(k, tl.trans(w), input_precision=PRECISION)
            norms = _half_norms(k, c, left, half)
            if left > 0:
                wide -= norms[:, None] + log_max[None, :]
            key = tl.exp2(wide).to(OPERAND)
            d_pairs = tl.dot(d_out, tl.trans(v), input_precision=PRECISION)
            if left > 0:
                d_pairs = tl.where(c[:, None] >= c[None, :], d_pairs - delta[:, None], 0.0)
            d_pairs = d_pairs.to(OPERAND)
            sums = tl.dot(tl.trans(key), v, sums, input_precision=PRECISION)
        d_query = tl.dot(d_out, narrow, input_precision=PRECISION)
        if left > 0:
            d_query -= delta[:, None] * counts[None, :]
        if CAUSAL:
            d_query = tl.dot(d_pairs, key, d_query, input_precision=PRECISION)
        wide = tl.dot(q, tl.trans(w), input_precision=PRECISION)
        if left > 0:
            wide += log_max[None, :] - log_weight[:, None]
            if M != BM:
                wide = tl.where(r[None, :] < M, wide, -_HIDDEN)
            d_query *= tl.exp2(wide)
        d_log = d_query.to(OPERAND)
        d_q = tl.dot(d_log, w.to(OPERAND), input_precision=PRECISION) * turn
        _put(D_Q + at * D, D, c, x, left, d_q, D, BD)


@triton.jit(
    do_not_specialize=["heads", "length", "part", "parts", "per", "scale_parts", "first_part"]
)
def _sum_queries(
    Q, W, D_OUT, LOG_WEIGHT, DELTA, LOG_MAX, COUNTS, SUMS,
    q_b, q_h, q_t,
    heads, length, part, parts, per, scale_parts, first_part,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr, CAUSAL: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Sum over the queries of one part what they send back to earlier keys, [d_out −delta] by features."""
    n = tl.program_id(0)
    p = tl.program_id(1) + first_part
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    one = tl.arange(0, 16)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = _square(W, D, BM, BD, M)
    Q += batch * q_b + head * q_h
    rows = n.to(tl.int64) * length
    D_OUT += rows * E
    LOG_WEIGHT += rows
    DELTA += rows
    slot = (n * (scale_parts + 1) + (p // per * per if CAUSAL else scale_parts)).to(tl.int64) * BM
    log_max = tl.load(LOG_MAX + slot + r)
    counts = tl.zeros((BM, 16), tl.float32)
    sums = tl.zeros((BM, BE), tl.float32)
    first = p * part
    for start in range(first, tl.minimum(first + part, length), C):
        at = tl.cast(start, tl.int64)
        left = length - start
        q = _tile(Q + at * q_t, q_t, c, x, left, D, BD)
        d_out = _tile(D_OUT + at * E, E, c, e, left, E, BE).to(OPERAND)
        log_weight = tl.load(LOG_WEIGHT + start + c, mask=c < left, other=_HIDDEN)
        delta = tl.load(DELTA + start + c, mask=c < left, other=0.0)
        wide = tl.dot(q, tl.trans(w), input_precision=PRECISION)
        if left > 0:
            wide += log_max[None, :] - log_weight[:, None]
        if M != BM:
            wide = tl.where(r[None, :] < M, wide, -_HIDDEN)
        query = tl.trans(tl.exp2(wide).to(OPERAND))
        sums = tl.dot(query, d_out, sums, input_precision=PRECISION)
        column = tl.where(one[None, :] == 0, -delta[:, None], 0.0).to(OPERAND)
        counts = tl.dot(query, column, counts, input_precision=PRECISION)
    slot = (n * (parts + 1) + p).to(tl.int64) * BM
    tl.store(COUNTS + slot + r, tl.sum(counts, 1))
    tl.store(SUMS + (slot + r[:, None]) * BE + e[None, :], sums)


@triton.jit(
    do_not_specialize=["heads", "group", "length", "part", "parts", "per", "back_parts", "chunks"]
)
def _key_gradient(
    Q, K, V, W, D_OUT, LOG_WEIGHT, DELTA, LOG_MAX, BACK_COUNTS, BACK_SUMS, CHUNK_MAX, D_K, D_V,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t,
    heads, group, length, part, parts, per, back_parts, chunks, half, turn, pull,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr, CAUSAL: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write the gradients of keys and values of one part of one head, from its last chunk to its first."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    one = tl.arange(0, 16)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = _square(W, D, BM, BD, M)
    Q += batch * q_b + head * q_h
    K += batch * k_b + head // group * k_h
    V += batch * v_b + head // group * v_h
    rows = n.to(tl.int64) * length
    D_OUT += rows * E
    D_K += rows * D
    D_V += rows * E
    LOG_WEIGHT += rows
    DELTA += rows
    slot = (n * (back_parts + 1) + ((p + 1) * per - 1 if CAUSAL else 0)).to(tl.int64) * BM
    back = tl.load(BACK_COUNTS + slot + r)
    sums = tl.load(BACK_SUMS + (slot + r[:, None]) * BE + e[None, :])
    slot = (n * (parts + 1) + ((p + 1) * per if CAUSAL else parts)).to(tl.int64) * BM
    log_max = tl.load(LOG_MAX + slot + r)
    first = p * part
    last = tl.minimum(first + part, length)
    rounds = (last - first + C - 1) // C
    for i in range(rounds):
        start = first + (rounds - 1 - i) * C
        at = tl.cast(start, tl.int64)
        left = length - start
        k = _tile(K + at * k_t, k_t, c, x, left, D, BD)
        v = _tile(V + at * v_t, v_t, c, e, left, E, BE).to(OPERAND)
        if CAUSAL:
            scale = tl.load(CHUNK_MAX + (n.to(tl.int64) * chunks + start // C) * BM + r)
            shrink = tl.exp2(scale - log_max)
            sums *= shrink[:, None]
            back *= shrink
            log_max = scale
        narrow = sums.to(OPERAND)
        if CAUSAL:
            q = _tile(Q + at * q_t, q_t, c, x, left, D, BD)
            d_out = _tile(D_OUT + at * E, E, c, e, left, E, BE).to(OPERAND)
            log_weight = tl.load(LOG_WEIGHT + start + c, mask=c < left, other=_HIDDEN)
            delta = tl.load(DELTA + start + c, mask=c < left, other=0.0)
            wide = tl.dot(q, tl.trans(w), input_precision=PRECISION)
            if left > 0:
                wide += log_max[None, :] - log_weight[:, None]
            if M != BM:
                wide = tl.where(r[None, :] < M, wide, -_HIDDEN)
            query = tl.exp2(wide).to(OPERAND)
            sums = tl.dot(tl.trans(query), d_out, sums, input_precision=PRECISION)
            column = tl.where(one[None, :] == 0, -delta[:, None], 0.0).to(OPERAND)
            more = tl.sum(tl.dot(tl.trans(query), column, input_precision=PRECISION), 1)
        wide = tl.dot(k, tl.trans(w), input_precision=PRECISION)
        norms = _half_norms(k, c, left, half)
        if left > 0:
            wide -= norms[:, None] + log_max[None, :]
        key = tl.exp2(wide).to(OPERAND)
        d_v = tl.dot(key, narrow, input_precision=PRECISION)
        if CAUSAL:
            later = c[:, None] <= c[None, :]  # rows are keys
            pairs = tl.dot(key, tl.trans(query), input_precision=PRECISION)
            d_pairs = tl.dot(v, tl.trans(d_out), input_precision=PRECISION)
            if left > 0:
                pairs = tl.where(later, pairs, 0.0)
                d_pairs = tl.where(later, d_pairs - delta[None, :], 0.0)
                d_v += 0.0
            d_v = tl.dot(pairs.to(OPERAND), d_out, d_v, input_precision=PRECISION)
        _put(D_V + at * E, E, c, e, left, d_v, E, BE)
        d_key = tl.dot(v, tl.trans(narrow), input_precision=PRECISION)
        if left > 0:
            d_key += back[None, :]
        if CAUSAL:
            d_key = tl.dot(d_pairs.to(OPERAND), query, d_key, input_precision=PRECISION)
            back += more
        if left > 0:
            d_key *= key.to(tl.float32)
        d_log = d_key
        d_k = tl.dot(d_log.to(OPERAND), w.to(OPERAND), input_precision=PRECISION) * turn
        d_k -= k.to(tl.float32) * (tl.sum(d_log, 1) * pull)[:, None]
        _put(D_K + at * D, D, c, x, left, d_k, D, BD)


def refusal(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    features: object,
    *,
    causal: bool = False,
    key_mask: Tensor | None = None,
    state: object = None,
    exact: int | None = None,
) -> str | None:
    """Return why these programs cannot compute an attention, in a sentence; None where they can."""
    if not isinstance(features, RandomFeatures) or features.phi != "positive":
        return "The Triton programs are written for positive random features."
    if key_mask is not None or state is not None or exact is not None:
        return "The Triton programs take no key_mask, no state and no exact keys."
    if not q.dtype == k.dtype == v.dtype or q.dtype not in _OPERANDS:
        return f"The Triton programs take q, k, v of one dtype out of {', '.join(map(str, _OPERANDS))}."
    d, m, e = q.shape[-1], features.num_features, v.shape[-1]
    widest = 64 if q.dtype == torch.float32 else 256
    if max(_padded(d), _padded(e)) * _padded(m) > 64 * widest:
        return (
            f"{m} features with heads of {d} and values of {e} do not fit into one multiprocessor: "
            f"{widest} features with heads of 64 do, in {q.dtype}."
        )
    if q.shape[:-2] != k.shape[:-2] and not (
        q.ndim == k.ndim > 3 and q.shape[:-3] == k.shape[:-3] and k.shape[-3] == 1
    ):
        return (
            "The Triton programs take as many heads of keys as of queries, or one for each group."
        )
    return None


def serves(q: Tensor, *args: Any, **kwargs: Any) -> bool:
    """Return whether "auto" takes these programs; arguments are those of `refusal`."""
    return WINS and refusal(q, *args, **kwargs) is None


_OPERANDS = {
    torch.bfloat16: tl.bfloat16,
    torch.float16: tl.bfloat16,  # the range of float16 is too small for features
    torch.float32: tl.float32,
}


def favor_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    features: RandomFeatures,
    causal: bool = False,
    key_mask: Tensor | None = None,
    state: object = None,
    exact: int | None = None,
    tiles: Tiles | None = None,
) -> Tensor:
    """Return what `model.favor_attention` does, by the Triton programs, without its rescue of lost rows.

    In bfloat16 and float16 the features are rounded to bfloat16 and all sums are in float32. w is rounded to
    q's precision, the same for queries and keys: it is then another draw, very near to the one of `features`.

    Args:
        tiles: how the work is cut; None takes `TILES`.

    Raises:
        ValueError: a case that is not served; says why.
    """
    if reason := refusal(q, k, v, features, key_mask=key_mask, state=state, exact=exact):
        raise ValueError(f"{reason} Use program='torch'.")
    assert features.projection is not None
    drawn = features.draw_id

    def twin(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        from .model import favor_attention

        return favor_attention(
            q, k, v, features=features, causal=causal, rescue=False, program="torch"
        )

    def same_draw() -> bool:
        return features.draw_id == drawn

    plan = _Plan(causal, tiles or TILES, twin, same_draw)
    out: Tensor = _Attention.apply(q, k, v, features.projection, plan)  # type: ignore[no-untyped-call]
    return out


@dataclass(frozen=True)
class _Plan:
    causal: bool
    tiles: Tiles
    twin: Callable[[Tensor, Tensor, Tensor], Tensor]
    same_draw: Callable[[], bool]


def _padded(size: int) -> int:
    return max(16, triton.next_power_of_2(size))


def _heads(x: Tensor) -> Tensor:
    """Return (batch, heads, length, width) with a last stride of 1, without a copy where it can be."""
    x = x.reshape(*(1,) * (4 - x.ndim), *x.shape)
    x = x.flatten(1, -3)
    return x if x.stride(-1) == 1 else x.contiguous()


@dataclass(frozen=True)
class _Cut:
    """A length in segments, each of them in `per` parts of `part` tokens."""

    segments: int
    per: int
    part: int

    @property
    def parts(self) -> int:
        return self.segments * self.per


@dataclass
class _Run:
    """Sizes, and how each kernel is launched."""

    q: Tensor
    k: Tensor
    v: Tensor
    w: Tensor
    plan: _Plan

    def __post_init__(self) -> None:
        self.heads = self.q.shape[0] * self.q.shape[1]
        self.group = self.q.shape[1] // self.k.shape[1]
        self.d, self.e, self.m = self.q.shape[-1], self.v.shape[-1], self.w.shape[0]
        chunk = self.plan.tiles.chunk
        if self.q.dtype == torch.float32:
            chunk = min(chunk, 32)
        self.chunk = chunk
        scale = self.d**-0.5 * math.log2(math.e)
        self.half = 0.5 * scale
        self.keys, self.queries = self._cut(self.k.shape[-2]), self._cut(self.q.shape[-2])
        self.chunks = triton.cdiv(self.k.shape[-2], chunk)
        self.begins = self.plan.causal and self.keys.segments == 1

    def _cut(self, length: int) -> "_Cut":
        chunks, tiles, here = triton.cdiv(length, self.chunk), self.plan.tiles, 132
        if self.q.is_cuda:
            here = torch.cuda.get_device_properties(self.q.device).multi_processor_count

        def cost(segments: int) -> float:  # in passes over a head; a pass of sums is half of one
            rounds = triton.cdiv(self.heads * segments, here)
            return rounds / segments + (1 - 1 / segments) * self.heads / here / 2

        segments = tiles.segments or min(range(1, max(2, min(64, chunks // 2))), key=cost)
        wanted = triton.cdiv(2 * here, self.heads * max(1, segments - 1))
        per = max(1, min(tiles.per or wanted, chunks // segments // 2))
        fine = triton.cdiv(chunks, segments * per)
        segments = triton.cdiv(chunks, fine * per)
        return _Cut(segments, per, fine * self.chunk)

    def options(self, kernel: str) -> dict[str, Any]:
        i, tiles = KERNELS.index(kernel), self.plan.tiles
        return {
            "D": self.d,
            "E": self.e,
            "M": self.m,
            "BD": _padded(self.d),
            "BE": _padded(self.e),
            "BM": _padded(self.m),
            "C": self.chunk,
            "OPERAND": _OPERANDS[self.q.dtype],
            "PRECISION": "tf32x3" if self.q.dtype == torch.float32 else "tf32",
            "num_warps": tiles.warps[i],
            "num_stages": 1 if self.q.dtype == torch.float32 else tiles.stages[i],
        }

    def sums(self, cut: _Cut, *more: int) -> Tensor:
        shape = (self.heads, cut.parts + 1, _padded(self.m), *more)
        return torch.empty(shape, device=self.q.device, dtype=torch.float32)

    def per_chunk(self) -> Tensor:
        shape = (self.heads, self.chunks, _padded(self.m))
        return torch.empty(shape, device=self.q.device, dtype=torch.float32)


def _strides(*tensors: Tensor) -> list[int]:
    return [stride for x in tensors for stride in x.stride()[:3]]


class _Attention(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, w: Tensor, plan: _Plan) -> Tensor:
        scaled = (w.float() * (q.shape[-1] ** -0.25 * math.log2(math.e))).to(q.dtype).contiguous()
        run = _Run(_heads(q), _heads(k), _heads(v), scaled, plan)
        saves = any(ctx.needs_input_grad[:3])
        causal, keys, queries = plan.causal, run.keys, run.queries
        be, bm = _padded(run.e), _padded(run.m)
        log_max, counts, sums = run.sums(keys), run.sums(keys), run.sums(keys, be)
        if not run.begins:
            summed = keys.parts - (keys.per if causal else 0)
            of_parts = tuple(torch.empty_like(x) for x in (log_max, counts, sums))
            _sum_parts[(run.heads, summed)](
                run.k, run.v, scaled, *of_parts,
                *_strides(run.k, run.v),
                run.q.shape[1], run.group, k.shape[-2], keys.part, keys.parts, run.half,
                **run.options("_sum_parts"),
            )  # fmt: skip
            _accumulate[(run.heads, bm // 16)](
                *of_parts, log_max, counts, sums, summed, keys.parts, BE=be, BM=bm, ROWS=16
            )
        # laid out as (batch, length, heads, width), which a layer flattens without a copy
        out = torch.empty(
            (run.q.shape[0], run.q.shape[2], run.q.shape[1], run.e), device=q.device, dtype=q.dtype
        ).transpose(1, 2)
        log_weight = torch.empty(
            (run.heads, q.shape[-2]) if saves else (1,), device=q.device, dtype=torch.float32
        )
        per_chunk = saves and causal
        chunk_max = run.per_chunk() if per_chunk else log_max
        chunk_counts = run.per_chunk() if per_chunk else log_max
        _attend[(run.heads, queries.segments)](
            run.q, run.k, run.v, scaled, out, log_weight, log_max, counts, sums,
            chunk_max, chunk_counts,
            *_strides(run.q, run.k, run.v, out),
            run.q.shape[1], run.group, q.shape[-2], queries.part * queries.per, keys.parts,
            keys.per, run.chunks, run.half,
            CAUSAL=causal, BEGINS=run.begins, SAVE=saves,
            **run.options("_attend"),
        )  # fmt: skip
        out = out.reshape(*q.shape[:-1], run.e)
        ctx.plan = plan
        if saves:
            ctx.save_for_backward(
                q, k, v, scaled, out, log_weight, log_max, counts, sums, chunk_max, chunk_counts
            )
        return out

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        plan: _Plan = ctx.plan
        if not plan.same_draw():
            raise RuntimeError(
                "w was drawn anew between an output and its gradient, which needs the features again: "
                "redraw after the backward pass."
            )
        q, k, v, scaled, out, log_weight, log_max, counts, sums, *per_chunk = ctx.saved_tensors
        chunk_max, chunk_counts = per_chunk
        if torch.is_grad_enabled():  # gradients of gradients are those of the plain program
            inputs = [x for x in (q, k, v) if x.requires_grad]
            found = iter(torch.autograd.grad(plan.twin(q, k, v), inputs, d_out, create_graph=True))
            return *(next(found) if x.requires_grad else None for x in (q, k, v)), None, None
        run, out = _Run(_heads(q), _heads(k), _heads(v), scaled, plan), _heads(out)
        causal, keys, queries = plan.causal, run.keys, run.queries
        d_out = d_out.reshape(run.heads, q.shape[-2], run.e).contiguous()
        delta = torch.empty_like(log_weight)
        d_q = q.new_empty(run.heads, q.shape[-2], run.d)
        turn, pull = math.log(2), run.d**-0.5
        _query_gradient[(run.heads, queries.segments)](
            run.q, run.k, run.v, run.w, out, d_out, log_weight, delta, log_max, counts, sums,
            chunk_max, chunk_counts, d_q,
            *_strides(run.q, run.k, run.v, out),
            run.q.shape[1], run.group, q.shape[-2], queries.part * queries.per, keys.parts,
            keys.per, run.chunks, run.half, turn,
            CAUSAL=causal, BEGINS=run.begins,
            **run.options("_query_gradient"),
        )  # fmt: skip
        be, bm = _padded(run.e), _padded(run.m)
        back_counts, back_sums = run.sums(queries), run.sums(queries, be)
        if run.begins:
            back_counts.zero_(), back_sums.zero_()
            log_max = torch.full_like(log_max, HIDDEN)  # zeros shrink to zeros
        else:
            of_parts = tuple(torch.empty_like(x) for x in (back_counts, back_sums))
            skipped = queries.per if causal else 0  # nothing is before the first segment
            _sum_queries[(run.heads, queries.parts - skipped)](
                run.q, run.w, d_out, log_weight, delta, log_max, *of_parts,
                *_strides(run.q),
                run.q.shape[1], q.shape[-2], queries.part, queries.parts, queries.per, keys.parts,
                skipped,
                CAUSAL=causal,
                **run.options("_sum_queries"),
            )  # fmt: skip
            _accumulate_back[(run.heads, bm // 16)](
                log_max, *of_parts, back_counts, back_sums, queries.parts, queries.per,
                BE=be, BM=bm, ROWS=16, CAUSAL=causal,
            )  # fmt: skip
        d_k = q.new_empty(run.heads, k.shape[-2], run.d)
        d_v = q.new_empty(run.heads, k.shape[-2], run.e)
        _key_gradient[(run.heads, keys.segments)](
            run.q, run.k, run.v, run.w, d_out, log_weight, delta, log_max, back_counts, back_sums,
            chunk_max, d_k, d_v,
            *_strides(run.q, run.k, run.v),
            run.q.shape[1], run.group, k.shape[-2], keys.part * keys.per, keys.parts, keys.per,
            queries.parts, run.chunks, run.half, turn, pull,
            CAUSAL=causal,
            **run.options("_key_gradient"),
        )  # fmt: skip
        return (
            d_q.reshape(q.shape),
            _of_heads(d_k, k, run.group),
            _of_heads(d_v, v, run.group),
            None,
            None,
        )


def _of_heads(gradient: Tensor, x: Tensor, group: int) -> Tensor:
    """Return the gradient of x, one head of which served `group` heads of queries."""
    if group > 1:
        gradient = gradient.unflatten(0, (-1, group)).sum(1)
    return gradient.reshape(x.shape)
