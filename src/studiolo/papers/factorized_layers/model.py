"""Linear and convolutional layers whose weight is a product of two thin matrices, U Vᵀ.

They take the place of torch's layers, have a `weight` to look at, and `to_dense()` turns them back.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .inits import Init, spectral_init


class FactorizedLayer(nn.Module):
    """What every factorized layer has: factors U (m, r) and V (n, r) of an unfolded weight, and a bias.

    Frobenius decay and the parameter groups find layers by this type.
    """

    U: nn.Parameter
    V: nn.Parameter
    bias: nn.Parameter | None

    @property
    def rank(self) -> int:
        """Columns of U and of V."""
        return self.U.shape[1]

    @property
    def weight(self) -> Tensor:
        """The weight as the dense layer has it; formed anew at each look, with a gradient."""
        raise NotImplementedError  # abstract: FactorizedLinear and FactorizedConv2d each have their own

    def to_dense(self) -> nn.Module:
        """Return the dense layer of the same function, with parameters of its own."""
        raise NotImplementedError  # abstract: FactorizedLinear and FactorizedConv2d each have their own

    def _take(self, matrix: Tensor, dense: nn.Linear | nn.Conv2d, rank: int, init: Init) -> None:
        """Set U, V and the bias from a dense layer whose unfolded weight is the matrix."""
        u, v = init(matrix.detach(), rank)
        trained = dense.weight.requires_grad
        self.U = nn.Parameter(u.contiguous(), requires_grad=trained)
        self.V = nn.Parameter(v.contiguous(), requires_grad=trained)
        self.bias = None
        if dense.bias is not None:
            self.bias = nn.Parameter(
                dense.bias.detach().clone(), requires_grad=dense.bias.requires_grad
            )
        self.train(dense.training)
        # From here on the product is cheaper formed once than applied to every input.
        self._forms_product = rank * (len(u) + len(v)) > len(u) * len(v)

    def _fill(self, dense: nn.Linear | nn.Conv2d) -> None:
        """Copy the weight and the bias into a dense layer of the same shape."""
        with torch.no_grad():
            dense.weight.copy_(self.weight)
            if dense.bias is not None and self.bias is not None:
                dense.bias.copy_(self.bias)
        dense.train(self.training)


class FactorizedLinear(FactorizedLayer):
    """y = (x V) Uᵀ + b in place of y = x Wᵀ + b, with r (m + n) parameters instead of m n.

    Args:
        in_features: n.
        out_features: m.
        rank: r; above m n / (m + n) it has more parameters than the dense layer and forms U Vᵀ first.
        bias: with b.
        init: maps the weight that `nn.Linear` would draw, and the rank, to U and V.

    Attributes:
        U: (m, r).
        V: (n, r).

    Raises:
        ValueError: the rank is below 1.

    Source: https://arxiv.org/abs/2105.01029, section 2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        bias: bool = True,
        *,
        init: Init = spectral_init,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self._factorize(nn.Linear(in_features, out_features, bias, device, dtype), rank, init)

    @classmethod
    def from_dense(
        cls, dense: nn.Linear, rank: int, *, init: Init = spectral_init
    ) -> "FactorizedLinear":
        """Return a new layer made from a dense one, which stays as it is."""
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer._factorize(dense, rank, init)
        return layer

    def _factorize(self, dense: nn.Linear, rank: int, init: Init) -> None:
        self.in_features, self.out_features = dense.in_features, dense.out_features
        self._take(dense.weight, dense, rank, init)

    @property
    def weight(self) -> Float[Tensor, "m n"]:
        """U Vᵀ."""
        return self.U @ self.V.mT

    def forward(self, x: Float[Tensor, "... n"]) -> Float[Tensor, "... m"]:
        """Map the last dimension from n to m."""
        if self._forms_product:
            return F.linear(x, self.weight, self.bias)
        return F.linear(F.linear(x, self.V.mT), self.U, self.bias)

    def to_dense(self) -> nn.Linear:
        """Return the `nn.Linear` of the same function, with parameters of its own."""
        like = {"device": self.U.device, "dtype": self.U.dtype}
        dense = nn.Linear(self.in_features, self.out_features, self.bias is not None, **like)
        self._fill(dense)
        return dense

    def extra_repr(self) -> str:
        """Name the sizes, as torch does."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"rank={self.rank}, bias={self.bias is not None}"
        )


class FactorizedConv2d(FactorizedLayer):
    """A convolution as two thin ones, for a kernel (o, i, k, l).

    Args:
        in_channels: i.
        out_channels: o.
        kernel_size: (k, l), or one number for both.
        rank: r, the channels between the two.
        bias: with b.
        unfolding: "spatial", the paper's: 1×l to r channels, then k×1 to o; U is (o k, r), V (i l, r).
            "channel": k×l to r channels, then 1×1 to o; U is (o, r), V (i k l, r).
        init: maps the unfolded kernel that `nn.Conv2d` would draw, and the rank, to U and V.
        settings: stride, padding, dilation, padding_mode, device and dtype, as `nn.Conv2d` takes them.

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
        rank: int,
        bias: bool = True,
        *,
        unfolding: str = "spatial",
        init: Init = spectral_init,
        **settings: Any,
    ) -> None:
        super().__init__()
        dense = nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias, **settings)
        self._factorize(dense, rank, unfolding, init)

    @classmethod
    def from_dense(
        cls,
        dense: nn.Conv2d,
        rank: int,
        *,
        unfolding: str = "spatial",
        init: Init = spectral_init,
    ) -> "FactorizedConv2d":
        """Return a new layer made from a dense one, which stays as it is."""
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer._factorize(dense, rank, unfolding, init)
        return layer

    def _factorize(self, dense: nn.Conv2d, rank: int, unfolding: str, init: Init) -> None:
        matrix = unfolded(dense, unfolding)
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
        self._take(matrix, dense, rank, init)

    @property
    def weight(self) -> Float[Tensor, "o i k l"]:
        """The kernel that U Vᵀ stands for."""
        (k, l), o, i = self.kernel_size, self.out_channels, self.in_channels
        product = self.U @ self.V.mT
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
            return F.conv2d(x, self.U[:, :, None, None], self.bias)
        (down, across), (dy, dx) = self.stride, self.dilation
        inner = self.V.mT.reshape(self.rank, i, 1, l)
        outer = self.U.reshape(self.out_channels, k, 1, self.rank).permute(0, 3, 1, 2)
        x = F.conv2d(x, inner, None, (1, across), (0, padding[1]), (1, dx))
        return F.conv2d(x, outer, self.bias, (down, 1), (padding[0], 0), (dy, 1))

    def _padded(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return x with the padding that a convolution cannot do, and the zeros left to it per side."""
        left, right, top, bottom = self._pad
        if self.padding_mode == "zeros" and left == right and top == bottom:
            return x, (top, left)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(x, self._pad, mode=mode), (0, 0)

    def to_dense(self) -> nn.Conv2d:
        """Return the `nn.Conv2d` of the same function, with parameters of its own."""
        dense = nn.Conv2d(
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
        self._fill(dense)
        return dense

    def extra_repr(self) -> str:
        """Name the sizes, as torch does."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"rank={self.rank}, unfolding={self.unfolding!r}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, bias={self.bias is not None}"
        )


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
