"""Attention as two bilinear forms a head, x ↦ xᵀ QᵀK y and x ↦ O V x, each of lower rank than the head has dimensions.

Scores depend on QᵀK alone and values on O V alone, so these are what is factorized, initialised and decayed.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .gram import frobenius_gradients, squared_norm
from .inits import root_of_moment, spectral_init_of_product
from .structure import StructuredLayer, StructuredWeights


Moments = dict[str, Tensor]
"""E (x; 1) (x; 1)ᵀ of what goes into the query, the key and the value, by these names."""


class AttentionForms(StructuredWeights):
    """The bilinear forms of an attention layer, for Frobenius decay; it looks at the layer's maps and owns none.

    Args:
        query: embed → heads · r, as are key and value.
        output: heads · r → embed.
        num_heads: h.
    """

    def __init__(
        self, query: nn.Linear, key: nn.Linear, value: nn.Linear, output: nn.Linear, num_heads: int
    ) -> None:
        super().__init__()
        self.maps = (query, key, value, output)  # a tuple, so that they are not registered twice
        self.num_heads = num_heads

    @property
    def rank(self) -> int:
        """The rank of every form."""
        return self.maps[0].out_features // self.num_heads

    def structured(self) -> list[nn.Parameter]:
        """Return the weights of query, key, value and output."""
        return [nn.Module.get_parameter(m, "weight") for m in self.maps]

    def forms(self) -> tuple[Float[Tensor, "h d e"], Float[Tensor, "h d e"]]:
        """Return QᵀK (heads, embed, key size) and O V (heads, embed, value size), biases apart."""
        q, k, v, o = self._factors()
        return q @ k.mT, o @ v.mT

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return Σ_h ‖Q_hᵀ K_h‖² + ‖O_h V_h‖²."""
        q, k, v, o = self._factors()
        return squared_norm(q, k).sum() + squared_norm(o, v).sum()

    def decay_gradients(self) -> list[Tensor]:
        """Return the gradients of half the squared norm for query, key, value and output."""
        with torch.no_grad():
            q, k, v, o = self._factors()
            (dq, dk), (do, dv) = frobenius_gradients(q, k), frobenius_gradients(o, v)
        rows = [x.mT.reshape(-1, x.shape[1]) for x in (dq, dk, dv)]
        return [*rows, do.transpose(0, 1).reshape(do.shape[1], -1)]

    def _factors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return Q, K, V and O as (heads, size, r)."""
        query, key, value, output = (m.weight for m in self.maps)
        h = self.num_heads
        q, k, v = (w.reshape(h, -1, w.shape[1]).mT for w in (query, key, value))
        return q, k, v, output.reshape(len(output), h, -1).transpose(0, 1)

    def extra_repr(self) -> str:
        """Name the sizes."""
        return f"num_heads={self.num_heads}, rank={self.rank}"


class FactorizedMultiheadAttention(StructuredLayer):
    """`nn.MultiheadAttention` with forms of rank r in place of head size embed_dim / num_heads.

    Called, masked and nested in torch's transformer layers like it; scores keep the scale of the full head. The
    bias of a key shifts all scores of a query alike and that of a value is part of the output's: neither is kept.

    Args:
        embed_dim: as are the arguments up to dtype, those of `nn.MultiheadAttention`.
        rank: r, up to embed_dim / num_heads; 4 r h embed parameters.

    Raises:
        ValueError: the heads do not divide embed_dim; the rank is below 1 or above the head size; add_bias_kv or
            add_zero_attn is asked for.

    Source: https://arxiv.org/abs/2105.01029, section 5.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        rank: int,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide an embed_dim of {embed_dim}.")
        dense = nn.MultiheadAttention(
            embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first,
            device, dtype,
        )  # fmt: skip
        self._take(dense, rank, None)

    @classmethod
    def from_dense(
        cls, dense: nn.MultiheadAttention, rank: int, *, moments: Moments | None = None
    ) -> "FactorizedMultiheadAttention":
        """Return a new layer made from a dense one, which stays as it is.

        Args:
            moments: of the inputs; then the forms are closest on such inputs.
        """
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer._take(dense, rank, moments)
        return layer

    def _take(self, dense: nn.MultiheadAttention, rank: int, moments: Moments | None) -> None:
        why = why_not(dense)
        if why:
            raise ValueError(f"This attention cannot be factorized: {why}.")
        self.embed_dim, self.num_heads = dense.embed_dim, dense.num_heads
        self.kdim, self.vdim, self.dropout = dense.kdim, dense.vdim, dense.dropout
        self.head_dim, self.batch_first = dense.head_dim, dense.batch_first
        _check_rank(rank, self.head_dim)
        # What torch's transformer layers look at before they take their own way past this layer:
        self.in_proj_bias, self._qkv_same_embed_dim = None, dense._qkv_same_embed_dim
        weights, biases = in_parts(dense)
        out = dense.out_proj
        q, k, v, o = thin_maps(weights, biases, out.weight, out.bias, self.num_heads, rank, moments)
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = q, k, v, o
        self.train(dense.training)

    @property
    def attention_forms(self) -> AttentionForms:
        """A look at the two forms of every head."""
        return AttentionForms(self.q_proj, self.k_proj, self.v_proj, self.out_proj, self.num_heads)

    @property
    def rank(self) -> int:
        """The rank of every form."""
        return self.attention_forms.rank

    def structured(self) -> list[nn.Parameter]:
        """Return the weights of query, key, value and output."""
        return self.attention_forms.structured()

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return Σ_h ‖Q_hᵀ K_h‖² + ‖O_h V_h‖²."""
        return self.attention_forms.squared_norm()

    def decay_gradients(self) -> list[Tensor]:
        """Return the gradients of half the squared norm for query, key, value and output."""
        return self.attention_forms.decay_gradients()

    def forward(
        self,
        query: Float[Tensor, "..."],
        key: Float[Tensor, "..."],
        value: Float[Tensor, "..."],
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend, with the arguments, masks and results of `nn.MultiheadAttention`."""
        if is_causal and attn_mask is None:
            raise ValueError("is_causal is a hint about attn_mask; give that mask as well.")
        batched = query.dim() == 3
        if not batched:
            query, key, value = (x[None] for x in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask[None]
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        n, t, s = len(query), query.shape[1], key.shape[1]
        q, k, v = (
            f(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for f, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        mask = self._mask(attn_mask, key_padding_mask, (n, t, s), q.dtype)
        dropout = self.dropout if self.training else 0.0
        scale, weights = self.head_dim**-0.5, None
        if need_weights:
            scores = q @ k.mT * scale
            weights = (scores if mask is None else scores + mask).softmax(-1)
            weights = F.dropout(weights, dropout)
            mixed = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, mask, dropout, scale=scale)
        out = self.out_proj(mixed.transpose(1, 2).flatten(2))
        if not batched:
            return out[0], None if weights is None else weights[0]
        return (out if self.batch_first else out.transpose(0, 1)), weights

    def _mask(
        self,
        attn_mask: Tensor | None,
        padding: Tensor | None,
        sizes: tuple[int, int, int],
        dtype: torch.dtype,
    ) -> Tensor | None:
        """Return what is added to the scores, of a shape that broadcasts to (n, h, t, s)."""
        n, t, s = sizes
        total: Tensor | None = None
        for mask, shape in (
            (attn_mask, (n if attn_mask is not None and attn_mask.dim() == 3 else 1, -1, t, s)),
            (padding, (n, 1, 1, s)),
        ):
            if mask is None:
                continue
            if mask.dtype == torch.bool:
                mask = torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -torch.inf)
            mask = mask.to(dtype).reshape(shape)
            total = mask if total is None else total + mask
        return total

    def to_dense(self) -> nn.MultiheadAttention:
        """Return the `nn.MultiheadAttention` of the same function: missing directions of a head are zeros."""
        weight = self.q_proj.weight
        dense = nn.MultiheadAttention(
            self.embed_dim,
            self.num_heads,
            self.dropout,
            self.out_proj.bias is not None,
            kdim=self.kdim,
            vdim=self.vdim,
            batch_first=self.batch_first,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            parts, biases = in_parts(dense)
            for part, thin in zip(parts, (self.q_proj, self.k_proj, self.v_proj), strict=True):
                part.copy_(_padded_rows(thin.weight, self.num_heads, self.head_dim))
            out = _padded_rows(self.out_proj.weight.mT, self.num_heads, self.head_dim)
            dense.out_proj.weight.copy_(out.mT)
            if biases is not None:
                biases[1].zero_()
                biases[2].zero_()
                bias = self.q_proj.bias[:, None]
                biases[0].copy_(_padded_rows(bias, self.num_heads, self.head_dim)[:, 0])
                dense.out_proj.bias.copy_(self.out_proj.bias)
        return dense.train(self.training)

    def extra_repr(self) -> str:
        """Name the sizes."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, rank={self.rank}"


@torch.no_grad()
def thin_maps(
    weights: tuple[Tensor, Tensor, Tensor],
    biases: tuple[Tensor, Tensor, Tensor] | None,
    output: Float[Tensor, "d e"],
    output_bias: Float[Tensor, "d"] | None,
    num_heads: int,
    rank: int,
    moments: Moments | None = None,
) -> tuple[nn.Linear, nn.Linear, nn.Linear, nn.Linear]:
    """Return query, key, value and output maps whose forms are the spectral approximations of the given ones.

    With biases, (x; 1) stands in the place of x in the query, so that its bias is approximated with the form. Those
    of key and value are left out: the one changes nothing, the other is added to the output's.

    Args:
        weights: of query, key and value, (heads · s, size).
        biases: of the same, or None.
        output: (embed, heads · s).
        moments: of the inputs; then the forms are closest on such inputs.
    """
    trained = weights[0].requires_grad
    h = num_heads
    q, k, v = (w.reshape(h, -1, w.shape[1]).mT for w in weights)  # (h, size, s)
    o = output.reshape(len(output), h, -1).transpose(0, 1)  # (h, embed, s)
    if biases is not None:
        q = torch.cat([q, biases[0].reshape(h, 1, -1)], 1)  # (h, size + 1, s)
    roots: dict[str, Tensor] = {}
    if moments is not None:
        ones = {"query": biases is not None, "key": False, "value": False}
        roots = {
            name: root_of_moment(moments[name] if one else moments[name][:-1, :-1])
            for name, one in ones.items()
        }
    u_q, u_k = _closest(q, k, rank, roots.get("query"), roots.get("key"))
    u_o, u_v = _closest(o, v, rank, None, roots.get("value"))

    like = {"device": output.device, "dtype": output.dtype}
    maps = []
    for u, bias in ((u_q, biases is not None), (u_k, False), (u_v, False)):
        size = u.shape[1] - bias
        made = nn.utils.skip_init(nn.Linear, size, h * rank, bias, **like)
        made.weight.copy_(u[:, :size].mT.reshape(h * rank, size))
        if bias:
            made.bias.copy_(u[:, size].reshape(h * rank))
        maps.append(made)
    out = nn.utils.skip_init(nn.Linear, h * rank, len(output), output_bias is not None, **like)
    out.weight.copy_(u_o.transpose(0, 1).reshape(len(output), h * rank))
    if output_bias is not None:
        shift = 0 if biases is None else output @ biases[2]
        out.bias.copy_(output_bias + shift)
    for made in (*maps, out):
        made.requires_grad_(trained)
    return maps[0], maps[1], maps[2], out


def _closest(
    left: Tensor, right: Tensor, rank: int, left_root: Tensor | None, right_root: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return factors of left rightᵀ (h, m, n), closest after both sides are multiplied by the roots."""
    dtype = left.dtype
    if left_root is None and right_root is None:
        return spectral_init_of_product(left, right, rank)
    left, right = left.double(), right.double()
    a = left if left_root is None else left_root.mT @ left
    b = right if right_root is None else right_root.mT @ right
    a, b = spectral_init_of_product(a, b, rank)
    if left_root is not None:
        a = torch.linalg.solve_triangular(left_root.mT, a, upper=True)
    if right_root is not None:
        b = torch.linalg.solve_triangular(right_root.mT, b, upper=True)
    a, b = spectral_init_of_product(a, b, rank)
    return a.to(dtype), b.to(dtype)


def in_parts(
    dense: nn.MultiheadAttention,
) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor] | None]:
    """Return the weights of query, key and value, and their biases, as views."""
    if dense.in_proj_weight is not None:
        q, k, v = dense.in_proj_weight.chunk(3)
    else:
        q, k, v = dense.q_proj_weight, dense.k_proj_weight, dense.v_proj_weight
    if dense.in_proj_bias is None:
        return (q, k, v), None
    b_q, b_k, b_v = dense.in_proj_bias.chunk(3)
    return (q, k, v), (b_q, b_k, b_v)


def why_not(dense: nn.MultiheadAttention) -> str | None:
    """Return why an attention layer cannot be factorized, or None."""
    if dense.bias_k is not None or dense.add_zero_attn:
        return "it has add_bias_kv or add_zero_attn, whose keys come from no input"
    return None


def _padded_rows(weight: Tensor, heads: int, size: int) -> Tensor:
    """Return (heads · r, n) as (heads · size, n), each head's rows followed by zeros."""
    rows = weight.reshape(heads, -1, weight.shape[1])
    return F.pad(rows, (0, 0, 0, size - rows.shape[1])).reshape(heads * size, -1)


def _check_rank(rank: int, head_size: int) -> None:
    if not 1 <= rank <= head_size:
        raise ValueError(
            f"The rank of attention's forms is {rank}; it must be in 1 to {head_size}, the size of a head."
        )


# BERT-style attention of transformers: maps in attention.self, the output in attention.output.


def is_bert_style(module: nn.Module) -> bool:
    """Whether a module holds query, key and value in `self` and the output map in `output`, as transformers' BERT does."""
    own, output = module._modules.get("self"), module._modules.get("output")
    return (
        own is not None
        and output is not None
        and all(type(own._modules.get(name)) is nn.Linear for name in ("query", "key", "value"))
        and type(output._modules.get("dense")) is nn.Linear
        and hasattr(own, "num_attention_heads")
        and hasattr(own, "attention_head_size")
    )


def set_bert_maps(attention: Any, rank: int, *, moments: Moments | None = None) -> None:
    """Give a BERT-style attention, in place, forms of this rank; its scale stays that of the full head.

    Raises:
        ValueError: the rank is below 1 or above the head size; the layer has no scale of its own to keep.
    """
    own, dense = attention.self, attention.output.dense
    _check_rank(rank, own.attention_head_size)
    weights = (own.query.weight, own.key.weight, own.value.weight)
    biases = None
    if own.query.bias is not None:
        biases = (own.query.bias, own.key.bias, own.value.bias)
    heads = own.num_attention_heads
    if getattr(own, "scaling", None) is None:
        raise ValueError(
            "This attention derives the scale of its scores from the head size; transformers 4.48 and later keep it."
        )
    maps = thin_maps(weights, biases, dense.weight, dense.bias, heads, rank, moments)
    for made, old in zip(maps, (own.query, own.key, own.value, dense), strict=True):
        made.train(old.training)
    own.query, own.key, own.value, attention.output.dense = maps
    own.attention_head_size, own.all_head_size = rank, rank * heads
    attention.forms = AttentionForms(*maps, heads)


@torch.no_grad()
def restore_bert_maps(attention: Any) -> None:
    """Give a factorized BERT-style attention, in place, its full head size back; missing directions are zeros."""
    own, out = attention.self, attention.output.dense
    heads = own.num_attention_heads
    size = round(own.scaling**-2)
    for name in ("query", "key", "value"):
        old = getattr(own, name)
        new = nn.Linear(old.in_features, heads * size, True, old.weight.device, old.weight.dtype)
        new.weight.copy_(_padded_rows(old.weight, heads, size))
        new.bias.zero_()
        if old.bias is not None:
            new.bias.copy_(_padded_rows(old.bias[:, None], heads, size)[:, 0])
        setattr(own, name, new.train(old.training))
    new = nn.Linear(heads * size, out.out_features, True, out.weight.device, out.weight.dtype)
    new.weight.copy_(_padded_rows(out.weight.mT, heads, size).mT)
    new.bias.copy_(out.bias if out.bias is not None else torch.zeros_like(new.bias))
    attention.output.dense = new.train(out.training)
    own.attention_head_size, own.all_head_size = size, size * heads
    del attention.forms
