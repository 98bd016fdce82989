"""Linear and convolutional layers, and embeddings, whose weight is a product of thin matrices: U Vᵀ, or U M Vᵀ.

They take the place of torch's layers, have a `weight` to look at, and `to_dense()` turns them back.
"""

import math
from abc import abstractmethod
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from .gram import frobenius_gradients, product_is_cheaper, squared_norm
from .inits import Init, spectral_draw, spectral_init, spectral_init_of_product
from .structure import StructuredLayer


class FactorizedLayer(StructuredLayer):
    """A layer with the factors U (m, r) and V (n, r) of an unfolded weight, and a bias.

    A deep one has a third factor M (r, r) between them, which starts as the identity. Ranks beyond min(m, n) are
    over-complete: they change how the layer learns, not what it can be, and `collapse()` takes them away.
    """

    U: nn.Parameter
    V: nn.Parameter
    M: nn.Parameter | None
    bias: nn.Parameter | None

    @property
    def rank(self) -> int:
        """Columns of U and of V."""
        return self.U.shape[1]

    @property
    @abstractmethod
    def weight(self) -> Tensor:
        """The weight as the dense layer has it; formed anew at each look, with a gradient."""

    @abstractmethod
    def _empty(self) -> nn.Linear | nn.Conv2d | nn.Embedding:
        """Return torch's layer of these sizes, its weight yet to be filled."""

    def to_dense(self) -> nn.Module:
        """Return torch's own layer of the same function, with parameters of its own."""
        dense = self._empty()
        with torch.no_grad():
            dense.weight.copy_(self.weight)
            bias = getattr(dense, "bias", None)
            if bias is not None and self.bias is not None:
                bias.copy_(self.bias)
        return dense.train(self.training)

    def collapse(self) -> nn.Module:
        """Return a new layer of the same function and the fewest parameters: two factors, or torch's dense layer."""
        m, n = len(self.U), len(self.V)
        rank = min(self.rank, m, n)
        if rank * (m + n) >= m * n:
            return self.to_dense()
        layer = self._like()
        right = self.V.detach()
        right = right if self.M is None else right @ self.M.detach().mT
        u, v = spectral_init_of_product(self.U.detach(), right, rank)
        layer.U, layer.V = (nn.Parameter(x, p.requires_grad) for x, p in ((u, self.U), (v, self.V)))
        layer.M = None
        return layer

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return ‖U Vᵀ‖²_F from the factors."""
        return squared_norm(self.U, self.V, self.M)

    def structured(self) -> list[nn.Parameter]:
        """Return the factors: U and V, and M where there is one."""
        return [self.U, self.V] if self.M is None else [self.U, self.V, self.M]

    def decay_gradients(self) -> list[Tensor]:
        """Return the gradients of half the squared norm in closed form, one for each factor."""
        with torch.no_grad():
            return list(frobenius_gradients(self.U, self.V, self.M))

    @property
    def _forms_product(self) -> bool:
        """Whether the product is cheaper formed once than applied to every input."""
        return product_is_cheaper(self.U, self.V)

    def _product(self) -> Tensor:
        return self.U @ (self.V.mT if self.M is None else self.M @ self.V.mT)

    def _like(self) -> "FactorizedLayer":
        """Return a layer of the same settings, with these factors and a bias of its own."""
        layer = type(self).__new__(type(self))
        nn.Module.__init__(layer)
        own = {k: v for k, v in self.__dict__.items() if not k.startswith("_") or k == "_pad"}
        layer.__dict__.update(own)
        layer.bias = None
        if self.bias is not None:
            layer.bias = nn.Parameter(self.bias.detach().clone(), self.bias.requires_grad)
        return layer

    def _draw(
        self, m: int, n: int, fan_in: int, rank: int, deep: bool, bias: int | None, where: Any
    ) -> None:
        """Draw factors and a bias as if the dense layer had been drawn by torch and factorized."""
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
        u, v = spectral_draw(m, n, rank, std=bound / math.sqrt(3), **where)
        self.U, self.V = nn.Parameter(u), nn.Parameter(v)
        self.M = nn.Parameter(torch.eye(rank, device=u.device, dtype=u.dtype)) if deep else None
        self.bias = None
        if bias is not None:
            self.bias = nn.Parameter(u.new_empty(bias).uniform_(-bound, bound))

    def _take(
        self,
        matrix: Tensor,
        dense: nn.Linear | nn.Conv2d | nn.Embedding,
        rank: int,
        deep: bool,
        init: Init,
    ) -> None:
        """Set the factors and the bias from a dense layer whose unfolded weight is the matrix."""
        u, v = init(matrix.detach(), rank)
        trained = dense.weight.requires_grad
        self.U = nn.Parameter(u.contiguous(), requires_grad=trained)
        self.V = nn.Parameter(v.contiguous(), requires_grad=trained)
        self.M = None
        if deep:
            self.M = nn.Parameter(torch.eye(rank, device=u.device, dtype=u.dtype), trained)
        bias = getattr(dense, "bias", None)
        self.bias = None
        if bias is not None:
            self.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
        self.train(dense.training)


class FactorizedLinear(FactorizedLayer):
    """y = (x V) Uᵀ + b in place of y = x Wᵀ + b, with r (m + n) parameters instead of m n.

    Args:
        in_features: n.
        out_features: m.
        bias: with b.
        rank: r; above m n / (m + n) it has more parameters than the dense layer and forms U Vᵀ first.
        deep: with a third factor, y = x (V Mᵀ) Uᵀ + b.
        init: maps the weight that `nn.Linear` would draw, and the rank, to U and V. Without one they are drawn as
            its spectral initialisation is distributed, which takes no SVD.

    Attributes:
        U: (m, r).
        V: (n, r).
        M: (r, r), or None.

    Raises:
        ValueError: the rank is below 1.

    Source: https://arxiv.org/abs/2105.01029, section 2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        rank: int,
        deep: bool = False,
        init: Init | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        if init is not None:
            dense = nn.Linear(in_features, out_features, bias, device, dtype)
            self._take(dense.weight, dense, rank, deep, init)
            return
        where = {"device": device, "dtype": dtype}
        biases = out_features if bias else None
        self._draw(out_features, in_features, in_features, rank, deep, biases, where)

    @classmethod
    def from_dense(
        cls, dense: nn.Linear, rank: int, *, deep: bool = False, init: Init = spectral_init
    ) -> "FactorizedLinear":
        """Return a new layer made from a dense one, which stays as it is."""
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer.in_features, layer.out_features = dense.in_features, dense.out_features
        layer._take(dense.weight, dense, rank, deep, init)
        return layer

    @property
    def weight(self) -> Float[Tensor, "m n"]:
        """U Vᵀ."""
        return self._product()

    def forward(self, x: Float[Tensor, "... n"]) -> Float[Tensor, "... m"]:
        """Map the last dimension from n to m."""
        if self._forms_product:
            return F.linear(x, self.weight, self.bias)
        inner = F.linear(x, self.V.mT)
        if self.M is not None:
            inner = F.linear(inner, self.M)
        return F.linear(inner, self.U, self.bias)

    def _empty(self) -> nn.Linear:
        like = {"device": self.U.device, "dtype": self.U.dtype}
        return nn.Linear(self.in_features, self.out_features, self.bias is not None, **like)

    def extra_repr(self) -> str:
        """Name the sizes, as torch does."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, rank={self.rank}{', deep=True' * (self.M is not None)}"
        )


class FactorizedConv2d(FactorizedLayer):
    """A convolution as two thin ones, for a kernel (o, i, k, l).

    Args:
        in_channels: i.
        out_channels: o.
        kernel_size: (k, l), or one number for both.
        stride: this and what follows up to dtype as `nn.Conv2d` takes them.
        rank: r, the channels between the two.
        unfolding: "spatial", the paper's: 1×l to r channels, then k×1 to o; U is (o k, r), V (i l, r).
            "channel": k×l to r channels, then 1×1 to o; U is (o, r), V (i k l, r).
        deep: with a third factor M (r, r), a 1×1 convolution between the two.
        init: maps the unfolded kernel that `nn.Conv2d` would draw, and the rank, to U and V. Without one they are
            drawn as its spectral initialisation is distributed, which takes no SVD.

    Raises:
        ValueError: the rank is below 1; the unfolding is unknown; the convolution has groups.

    Source: https://arxiv.org/abs/2105.01029, section 2.
    Differs: the published code unfolds a given kernel in the wrong order of dimensions, so that its spectral
        initialisation of a trained kernel stands for another one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        rank: int,
        unfolding: str = "spatial",
        deep: bool = False,
        init: Init | None = None,
    ) -> None:
        super().__init__()
        where = {"device": device, "dtype": dtype}
        # Without an init the kernel is never allocated: torch only checks and completes the settings.
        dense = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device="meta" if init is None else device,
            dtype=dtype,
        )
        self._settle(dense, unfolding)
        matrix = unfolded(dense, unfolding)
        if init is not None:
            self._take(matrix, dense, rank, deep, init)
            return
        (m, n), fan_in = matrix.shape, dense.weight[0].numel()
        self._draw(m, n, fan_in, rank, deep, out_channels if bias else None, where)

    @classmethod
    def from_dense(
        cls,
        dense: nn.Conv2d,
        rank: int,
        *,
        unfolding: str = "spatial",
        deep: bool = False,
        init: Init = spectral_init,
    ) -> "FactorizedConv2d":
        """Return a new layer made from a dense one, which stays as it is."""
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer._settle(dense, unfolding)
        layer._take(unfolded(dense, unfolding), dense, rank, deep, init)
        return layer

    def _settle(self, dense: nn.Conv2d, unfolding: str) -> None:
        self.in_channels, self.out_channels = dense.in_channels, dense.out_channels
        self.unfolding = unfolding
        self.kernel_size, self.stride, self.dilation = (
            (int(first), int(second))
            for first, second in (dense.kernel_size, dense.stride, dense.dilation)
        )
        self.padding: Any = dense.padding
        self.padding_mode = dense.padding_mode
        # left, right, top, bottom, for F.pad
        self._pad = tuple(int(p) for p in dense._reversed_padding_repeated_twice)

    @property
    def weight(self) -> Float[Tensor, "o i k l"]:
        """The kernel that U Vᵀ stands for."""
        (k, l), o, i = self.kernel_size, self.out_channels, self.in_channels
        product = self._product()
        if self.unfolding == "spatial":
            return product.reshape(o, k, i, l).transpose(1, 2)
        return product.reshape(o, i, k, l)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Map (b, i, h, w) or (i, h, w) to the o channels, as the dense convolution does."""
        x, padding = self._padded(x)
        (k, l), i = self.kernel_size, self.in_channels
        if self._forms_product:
            return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation)
        if self.unfolding == "channel":
            inner = self.V.mT.reshape(self.rank, i, k, l)
            x = F.conv2d(x, inner, None, self.stride, padding, self.dilation)
            return F.conv2d(self._between(x), self.U[:, :, None, None], self.bias)
        (down, across), (dy, dx) = self.stride, self.dilation
        inner = self.V.mT.reshape(self.rank, i, 1, l)
        outer = self.U.reshape(self.out_channels, k, 1, self.rank).permute(0, 3, 1, 2)
        x = F.conv2d(x, inner, None, (1, across), (0, padding[1]), (1, dx))
        return F.conv2d(self._between(x), outer, self.bias, (down, 1), (padding[0], 0), (dy, 1))

    def _between(self, x: Tensor) -> Tensor:
        return x if self.M is None else F.conv2d(x, self.M[:, :, None, None])

    def _padded(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return x with the padding that a convolution cannot do, and the zeros left to it per side."""
        left, right, top, bottom = self._pad
        if self.padding_mode == "zeros" and left == right and top == bottom:
            return x, (top, left)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(x, self._pad, mode=mode), (0, 0)

    def _empty(self) -> nn.Conv2d:
        return nn.Conv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            bias=self.bias is not None,
            padding_mode=self.padding_mode,
            device=self.U.device,
            dtype=self.U.dtype,
        )

    def extra_repr(self) -> str:
        """Name the sizes, as torch does."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"bias={self.bias is not None}, rank={self.rank}, unfolding={self.unfolding!r}"
            f"{', deep=True' * (self.M is not None)}"
        )


class FactorizedEmbedding(FactorizedLayer):
    """A table of vectors as a thin table and a map: row t is Vᵀ-mapped U[t].

    Args:
        num_embeddings: m, the rows.
        embedding_dim: n.
        padding_idx: a row whose vector is not trained, as in `nn.Embedding`; it starts at zero.
        rank: r; r (m + n) parameters.
        deep: with a third factor M (r, r).
        init: maps the table that `nn.Embedding` would draw, and the rank, to U and V; as in `FactorizedLinear`.

    Raises:
        ValueError: the rank is below 1.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        rank: int,
        deep: bool = False,
        init: Init | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = _row(padding_idx, num_embeddings)
        if init is not None:
            dense = nn.Embedding(
                num_embeddings, embedding_dim, padding_idx, device=device, dtype=dtype
            )
            self._take(dense.weight, dense, rank, deep, init)
            return
        u, v = spectral_draw(
            num_embeddings, embedding_dim, rank, std=1.0, device=device, dtype=dtype
        )
        if self.padding_idx is not None:
            u[self.padding_idx] = 0
        self.U, self.V, self.bias = nn.Parameter(u), nn.Parameter(v), None
        self.M = nn.Parameter(torch.eye(rank, device=u.device, dtype=u.dtype)) if deep else None

    @classmethod
    def from_dense(
        cls, dense: nn.Embedding, rank: int, *, deep: bool = False, init: Init = spectral_init
    ) -> "FactorizedEmbedding":
        """Return a new layer made from a dense one, which stays as it is.

        Raises:
            ValueError: the table rescales its vectors or has sparse gradients.
        """
        if dense.max_norm is not None or dense.sparse or dense.scale_grad_by_freq:
            raise ValueError(
                "The embedding has max_norm, scale_grad_by_freq or sparse, which act on whole rows; "
                "a factorized one cannot do that."
            )
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer.num_embeddings, layer.embedding_dim = dense.num_embeddings, dense.embedding_dim
        layer.padding_idx = dense.padding_idx
        layer._take(dense.weight, dense, rank, deep, init)
        return layer

    @property
    def weight(self) -> Float[Tensor, "m n"]:
        """U Vᵀ."""
        return self._product()

    def forward(self, tokens: Int[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the vectors (..., n) of the rows."""
        inner = F.embedding(tokens, self.U, self.padding_idx)
        if self.M is not None:
            inner = F.linear(inner, self.M.mT)
        return F.linear(inner, self.V)

    def _empty(self) -> nn.Embedding:
        return nn.Embedding(
            self.num_embeddings,
            self.embedding_dim,
            self.padding_idx,
            device=self.U.device,
            dtype=self.U.dtype,
        )

    def extra_repr(self) -> str:
        """Name the sizes, as torch does."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return (
            f"{self.num_embeddings}, {self.embedding_dim}{padding}, "
            f"rank={self.rank}{', deep=True' * (self.M is not None)}"
        )


def _row(padding_idx: int | None, rows: int) -> int | None:
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(f"padding_idx is {padding_idx}; the table has {rows} rows.")
    return padding_idx if padding_idx is None or padding_idx >= 0 else padding_idx + rows


def unfolded(dense: nn.Conv2d, unfolding: str) -> Float[Tensor, "m n"]:
    """Return the kernel (o, i, k, l) as the matrix whose factors an unfolding speaks of.

    "spatial" gives (o k, i l), "channel" (o, i k l).

    Raises:
        ValueError: the unfolding is unknown; the convolution has groups.
    """
    o, i, k, l = dense.weight.shape
    if dense.groups != 1:
        raise ValueError(
            f"The convolution has {dense.groups} groups; only one without groups can be factorized here."
        )
    match unfolding:
        case "spatial":
            return dense.weight.transpose(1, 2).reshape(o * k, i * l)
        case "channel":
            return dense.weight.reshape(o, i * k * l)
    raise ValueError(f"unfolding is {unfolding!r}; known are spatial and channel.")
