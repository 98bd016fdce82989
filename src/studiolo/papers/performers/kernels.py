"""FAVOR+ with positive features in Triton; `gpu.py` launches these programs and says how they share the work.

All logarithms are to the base 2, and w is multiplied by d^-¼ log₂ e first, so that a feature costs one
exponential. A feature's scale is its running maximum, as in `blocks.py`. A query's scale is its largest
feature on the way there, and on the way back log₂ of its sum of weights (`log_weight`), so that products
of features are attention weights. The column of ones of [V 1] is kept apart, as `counts`.

`if left > 0` is always true. Triton gives all warps to the rows of a product whose result goes into another one,
and the 64 rows of a chunk are work for four warps: the other four would do the same again. It does not look
through a branch. `no_type_check` keeps the tests' shape checks from wrapping what Triton reads as source.
"""

from typing import no_type_check

import triton
import triton.language as tl


NOTHING_SEEN = -1e29
"""A feature's log₂ scale before the first key; finite, for −inf − (−inf) is NaN."""
HIDDEN = 1e30
"""What is taken from the log₂ features of a key that is not there."""

_NONE = tl.constexpr(NOTHING_SEEN)
_HIDDEN = tl.constexpr(HIDDEN)


@no_type_check
@triton.jit
def tile(base, stride, rows, columns, left, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """Load rows of a matrix; zeros from row `left` on and beyond its width."""
    seen = rows[:, None] < left
    if WIDTH != PADDED:
        seen = seen & (columns[None, :] < WIDTH)
    return tl.load(base + rows[:, None] * stride + columns[None, :], mask=seen, other=0.0)


@no_type_check
@triton.jit
def put(base, stride, rows, columns, left, x, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """Store what `tile` loads."""
    seen = rows[:, None] < left
    if WIDTH != PADDED:
        seen = seen & (columns[None, :] < WIDTH)
    to = base + rows[:, None] * stride + columns[None, :]
    tl.store(to, x.to(base.dtype.element_ty), mask=seen)


@no_type_check
@triton.jit
def square(base, D: tl.constexpr, BM: tl.constexpr, BD: tl.constexpr, M: tl.constexpr):
    """Load w, (BM, BD)."""
    r = tl.arange(0, BM)
    x = tl.arange(0, BD)
    return tl.load(
        base + r[:, None] * D + x[None, :],
        mask=(r[:, None] < M) & (x[None, :] < D),
        other=0.0,
    )


@no_type_check
@triton.jit
def half_norms(k, rows, left, half):
    """Return log₂ e |y|²/2 of every key, and `_HIDDEN` for one that is not there."""
    wide = k.to(tl.float32)
    return tl.where(rows < left, tl.sum(wide * wide, 1) * half, _HIDDEN)


@no_type_check
@triton.jit(do_not_specialize=["heads", "group", "length", "part", "parts"])
def sum_parts(
    K, V, W, LOG_MAX, COUNTS, SUMS,
    k_b, k_h, k_t, v_b, v_h, v_t,
    heads, group, length, part, parts, half,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum φ(k) [v 1] over the keys of one part of one head."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    batch, head = (n // heads).to(tl.int64), ((n % heads) // group).to(tl.int64)
    w = square(W, D, BM, BD, M)
    log_max = tl.full((BM,), _NONE, tl.float32)
    counts = tl.zeros((BM,), tl.float32)
    sums = tl.zeros((BM, BE), tl.float32)
    K += batch * k_b + head * k_h
    V += batch * v_b + head * v_h
    first = p * part
    for start in range(first, tl.minimum(first + part, length), C):
        at = tl.cast(start, tl.int64)
        k = tile(K + at * k_t, k_t, c, x, length - start, D, BD)
        v = tile(V + at * v_t, v_t, c, e, length - start, E, BE).to(OPERAND)
        key = tl.dot(w, tl.trans(k), input_precision=PRECISION)
        key -= half_norms(k, c, length - start, half)[None, :]
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


@no_type_check
@triton.jit(do_not_specialize=["summed", "parts"])
def accumulate(
    PART_MAX, PART_COUNTS, PART_SUMS, LOG_MAX, COUNTS, SUMS, summed, parts,
    BE: tl.constexpr, BM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
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


@no_type_check
@triton.jit(do_not_specialize=["parts", "per"])
def accumulate_back(
    LOG_MAX, PART_COUNTS, PART_SUMS, COUNTS, SUMS, parts, per,
    BE: tl.constexpr, BM: tl.constexpr, ROWS: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
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


@no_type_check
@triton.jit(do_not_specialize=["heads", "group", "length", "part", "parts", "per", "chunks"])
def attend(
    Q, K, V, W, OUT, LOG_WEIGHT, LOG_MAX, COUNTS, SUMS, CHUNK_MAX, CHUNK_COUNTS,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t, o_b, o_h, o_t,
    heads, group, length, part, parts, per, chunks, half,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr,
    CAUSAL: tl.constexpr, BEGINS: tl.constexpr, SAVE: tl.constexpr,
):  # fmt: skip
    """Write the output of one part of one head, and log₂ of each row's sum of weights."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = square(W, D, BM, BD, M)
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
        q = tile(Q + at * q_t, q_t, c, x, left, D, BD)
        if CAUSAL:
            k = tile(K + at * k_t, k_t, c, x, left, D, BD)
            v = tile(V + at * v_t, v_t, c, e, left, E, BE).to(OPERAND)
            wide_key = tl.dot(w, tl.trans(k), input_precision=PRECISION)
            wide_key -= half_norms(k, c, left, half)[None, :]
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
        put(OUT + at * o_t, o_t, c, e, left, seen, E, BE)
        if SAVE:
            log_weight = tl.where(weight == 0.0, _HIDDEN, top + tl.log2(weight))
            tl.store(LOG_WEIGHT + start + c, log_weight, mask=c < left)


@no_type_check
@triton.jit(do_not_specialize=["heads", "group", "length", "part", "parts", "per", "chunks"])
def query_gradient(
    Q, K, V, W, OUT, D_OUT, LOG_WEIGHT, DELTA, LOG_MAX, COUNTS, SUMS, CHUNK_MAX, CHUNK_COUNTS, D_Q,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t, o_b, o_h, o_t,
    heads, group, length, part, parts, per, chunks, half, turn,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr, CAUSAL: tl.constexpr, BEGINS: tl.constexpr,
):  # fmt: skip
    """Write the gradient of the queries of one part of one head, and delta, the product of output and its gradient."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = square(W, D, BM, BD, M)
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
        q = tile(Q + at * q_t, q_t, c, x, left, D, BD)
        d_out = tile(D_OUT + at * E, E, c, e, left, E, BE)
        out = tile(OUT + at * o_t, o_t, c, e, left, E, BE)
        log_weight = tl.load(LOG_WEIGHT + start + c, mask=c < left, other=_HIDDEN)
        delta = tl.sum(out.to(tl.float32) * d_out.to(tl.float32), 1)
        tl.store(DELTA + start + c, delta, mask=c < left)
        d_out = d_out.to(OPERAND)
        if CAUSAL:
            k = tile(K + at * k_t, k_t, c, x, left, D, BD)
            v = tile(V + at * v_t, v_t, c, e, left, E, BE).to(OPERAND)
            slot = (n.to(tl.int64) * chunks + start // C) * BM
            scale = tl.load(CHUNK_MAX + slot + r)
            counts = tl.load(CHUNK_COUNTS + slot + r)
            sums *= tl.exp2(log_max - scale)[:, None]
            log_max = scale
        narrow = tl.trans(sums.to(OPERAND))
        if CAUSAL:
            wide = tl.dot(k, tl.trans(w), input_precision=PRECISION)
            norms = half_norms(k, c, left, half)
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
        put(D_Q + at * D, D, c, x, left, d_q, D, BD)


@no_type_check
@triton.jit(
    do_not_specialize=["heads", "length", "part", "parts", "per", "scale_parts", "first_part"]
)
def sum_queries(
    Q, W, D_OUT, LOG_WEIGHT, DELTA, LOG_MAX, COUNTS, SUMS,
    q_b, q_h, q_t,
    heads, length, part, parts, per, scale_parts, first_part,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """Sum over the queries of one part what they send back to earlier keys, [d_out −delta] by features."""
    n = tl.program_id(0)
    p = tl.program_id(1) + first_part
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    one = tl.arange(0, 16)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = square(W, D, BM, BD, M)
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
        q = tile(Q + at * q_t, q_t, c, x, left, D, BD)
        d_out = tile(D_OUT + at * E, E, c, e, left, E, BE).to(OPERAND)
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


@no_type_check
@triton.jit(
    do_not_specialize=["heads", "group", "length", "part", "parts", "per", "back_parts", "chunks"]
)
def key_gradient(
    Q, K, V, W, D_OUT, LOG_WEIGHT, DELTA, LOG_MAX, BACK_COUNTS, BACK_SUMS, CHUNK_MAX, D_K, D_V,
    q_b, q_h, q_t, k_b, k_h, k_t, v_b, v_h, v_t,
    heads, group, length, part, parts, per, back_parts, chunks, half, turn, pull,
    D: tl.constexpr, E: tl.constexpr, M: tl.constexpr,
    BD: tl.constexpr, BE: tl.constexpr, BM: tl.constexpr, C: tl.constexpr,
    OPERAND: tl.constexpr, PRECISION: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """Write the gradients of keys and values of one part of one head, from its last chunk to its first."""
    n = tl.program_id(0)
    p = tl.program_id(1)
    c, x, e, r = tl.arange(0, C), tl.arange(0, BD), tl.arange(0, BE), tl.arange(0, BM)
    one = tl.arange(0, 16)
    batch, head = (n // heads).to(tl.int64), (n % heads).to(tl.int64)
    w = square(W, D, BM, BD, M)
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
        k = tile(K + at * k_t, k_t, c, x, left, D, BD)
        v = tile(V + at * v_t, v_t, c, e, left, E, BE).to(OPERAND)
        if CAUSAL:
            scale = tl.load(CHUNK_MAX + (n.to(tl.int64) * chunks + start // C) * BM + r)
            shrink = tl.exp2(scale - log_max)
            sums *= shrink[:, None]
            back *= shrink
            log_max = scale
        narrow = sums.to(OPERAND)
        if CAUSAL:
            q = tile(Q + at * q_t, q_t, c, x, left, D, BD)
            d_out = tile(D_OUT + at * E, E, c, e, left, E, BE).to(OPERAND)
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
        norms = half_norms(k, c, left, half)
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
        put(D_V + at * E, E, c, e, left, d_v, E, BE)
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
        put(D_K + at * D, D, c, x, left, d_k, D, BD)
