"""FAVOR+ with positive features on a CUDA device, in Triton: features live in registers and are never written.

`favor_attention` here is the twin of the one in `model.py`, which asks `refusal` whether a case is served.
A sequence is cut into segments, so that all multiprocessors have work, and these into parts. `sum_parts` sums the
keys of each part, `accumulate` adds the sums of the parts before, and `attend` goes through a segment in chunks.
The gradient of the queries goes the same way (`query_gradient`); for that of keys and values `sum_queries` sums
what queries send back, and `key_gradient` goes through each segment from its end.

The programs themselves are in `kernels.py`.
"""

import importlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd import Function

from .features import RandomFeatures
from .kernels import (
    HIDDEN,
    accumulate,
    accumulate_back,
    attend,
    key_gradient,
    query_gradient,
    sum_parts,
    sum_queries,
)


@dataclass(frozen=True)
class Tiles:
    """How a kernel is cut. `warps` and `stages` are of the kernels in order of `KERNELS`."""

    chunk: int = 64
    """Tokens that are turned into a matrix product at a time; a power of 2, at least 16."""
    segments: int | None = None
    """How many programs share the length of a head; None takes what leaves the fewest multiprocessors idle."""
    per: int | None = None
    """In how many parts a segment is summed; None takes as many as all run at the same time."""
    warps: tuple[int, ...] = (8, 8, 8, 8, 8)
    stages: tuple[int, ...] = (3, 3, 2, 2, 2)


KERNELS = ("sum_parts", "attend", "query_gradient", "sum_queries", "key_gradient")
TILES = Tiles()


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
    if q.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        return "The Triton programs run on a GPU, and q is on the CPU."
    if not isinstance(features, RandomFeatures) or features.phi != "positive":
        return "The Triton programs are written for positive random features."
    if key_mask is not None or state is not None or exact is not None:
        return "The Triton programs take no key_mask, no state and no exact keys."
    if not q.dtype == k.dtype == v.dtype or q.dtype not in (*_OPERANDS, torch.float16):
        return "The Triton programs take q, k, v that are all bfloat16, float16 or float32."
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


def serves(q: Tensor, *args: Any, causal: bool = False, rescue: bool = True, **kwargs: Any) -> bool:
    """Return whether "auto" takes these programs; arguments are those of `refusal`, and whether rows are rescued.

    They were measured to win for causal attention, and rescue no rows. `torch.compile` and `torch.func` cannot
    look into them.
    """
    traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    asked = causal and not rescue and not traced
    return asked and refusal(q, *args, causal=causal, **kwargs) is None


_OPERANDS = {torch.bfloat16: tl.bfloat16, torch.float32: tl.float32}


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

    In bfloat16 the features are rounded to it and all sums are in float32. w is rounded to q's precision, the
    same for queries and keys: it is then another draw, very near to the one of `features`. float16 has too small
    a range for features: its inputs are rounded to bfloat16.

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
        # by name: a record made on a GPU does not depend on what only gradients of gradients reach
        plain = importlib.import_module(".model", __package__).favor_attention
        out: Tensor = plain(
            q, k, v, features=features, causal=causal, rescue=False, program="torch"
        )
        return out

    def same_draw() -> bool:
        return features.draw_id == drawn

    plan = _Plan(causal, tiles or TILES, twin, same_draw)
    inputs = [x.bfloat16() if x.dtype == torch.float16 else x for x in (q, k, v)]
    out: Tensor = _Attention.apply(*inputs, features.projection, plan)
    return out.to(q.dtype)


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
        wanted = here // (self.heads * max(1, segments - 1))
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
            sum_parts[(run.heads, summed)](
                run.k, run.v, scaled, *of_parts,
                *_strides(run.k, run.v),
                run.q.shape[1], run.group, k.shape[-2], keys.part, keys.parts, run.half,
                **run.options("sum_parts"),
            )  # fmt: skip
            accumulate[(run.heads, bm // 16)](
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
        attend[(run.heads, queries.segments)](
            run.q, run.k, run.v, scaled, out, log_weight, log_max, counts, sums,
            chunk_max, chunk_counts,
            *_strides(run.q, run.k, run.v, out),
            run.q.shape[1], run.group, q.shape[-2], queries.part * queries.per, keys.parts,
            keys.per, run.chunks, run.half,
            CAUSAL=causal, BEGINS=run.begins, SAVE=saves,
            **run.options("attend"),
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
        query_gradient[(run.heads, queries.segments)](
            run.q, run.k, run.v, run.w, out, d_out, log_weight, delta, log_max, counts, sums,
            chunk_max, chunk_counts, d_q,
            *_strides(run.q, run.k, run.v, out),
            run.q.shape[1], run.group, q.shape[-2], queries.part * queries.per, keys.parts,
            keys.per, run.chunks, run.half, turn,
            CAUSAL=causal, BEGINS=run.begins,
            **run.options("query_gradient"),
        )  # fmt: skip
        be, bm = _padded(run.e), _padded(run.m)
        back_counts, back_sums = run.sums(queries), run.sums(queries, be)
        if run.begins:
            back_counts.zero_(), back_sums.zero_()
            log_max = torch.full_like(log_max, HIDDEN)  # zeros shrink to zeros
        else:
            of_parts = tuple(torch.empty_like(x) for x in (back_counts, back_sums))
            skipped = queries.per if causal else 0  # nothing is before the first segment
            sum_queries[(run.heads, queries.parts - skipped)](
                run.q, run.w, d_out, log_weight, delta, log_max, *of_parts,
                *_strides(run.q),
                run.q.shape[1], q.shape[-2], queries.part, queries.parts, queries.per, keys.parts,
                skipped,
                CAUSAL=causal,
                **run.options("sum_queries"),
            )  # fmt: skip
            accumulate_back[(run.heads, bm // 16)](
                log_max, *of_parts, back_counts, back_sums, queries.parts, queries.per,
                BE=be, BM=bm, ROWS=16, CAUSAL=causal,
            )  # fmt: skip
        d_k = q.new_empty(run.heads, k.shape[-2], run.d)
        d_v = q.new_empty(run.heads, k.shape[-2], run.e)
        key_gradient[(run.heads, keys.segments)](
            run.q, run.k, run.v, run.w, d_out, log_weight, delta, log_max, back_counts, back_sums,
            chunk_max, d_k, d_v,
            *_strides(run.q, run.k, run.v),
            run.q.shape[1], run.group, k.shape[-2], keys.part * keys.per, keys.parts, keys.per,
            queries.parts, run.chunks, run.half, turn, pull,
            CAUSAL=causal,
            **run.options("key_gradient"),
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
