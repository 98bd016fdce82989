"""Convolutions and linear maps replaced by structured ones: a depthwise convolution, then a structured map of channels."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .candidates import Keep, find_candidates, kept
from .convert import factorize, largest_share
from .structure import StructuredLayer, widened
from .structures import ACDC, CP, Bottleneck, Hashed, Matrix, TensorTrain, Tied, Tucker, Whole


class StructuredConv2d(StructuredLayer):
    """A convolution as a depthwise one, then a structured matrix between channels; without a bias between.

    Both are linear, so it stands for the kernel K[o, i, a, b] = P[o, i] D[i, a, b]. A 1×1 kernel has no D.

    Args:
        dense: the convolution whose place it takes; its settings, bias and values are taken over.
        kind: of the matrix P.
        share: of the matrix, see each kind.
    """

    def __init__(self, dense: nn.Conv2d, kind: type[Matrix], share: float) -> None:
        super().__init__()
        self._take(dense)
        o, i, k, l = dense.weight.shape
        self.depth = None if k * l == 1 else nn.Parameter(dense.weight.new_empty(i, 1, k, l))
        self.matrix = kind(o, i, share)
        self.matrix.to(dense.weight.device, dense.weight.dtype)
        self._fit(dense.weight.detach())
        self.requires_grad_(dense.weight.requires_grad)
        self.train(dense.training)

    def _take(self, dense: nn.Conv2d) -> None:
        """Take over the settings and a copy of the bias."""
        self.settings: dict[str, Any] = {
            "stride": dense.stride,
            "padding": dense.padding,
            "dilation": dense.dilation,
            "padding_mode": dense.padding_mode,
        }
        self.in_channels, self.out_channels = dense.in_channels, dense.out_channels
        k, l = dense.weight.shape[2:]
        self.kernel_size = (k, l)
        self._pad = tuple(int(p) for p in dense._reversed_padding_repeated_twice)
        self.bias = None if dense.bias is None else nn.Parameter(dense.bias.detach().clone())

    @torch.no_grad()
    def _fit(self, kernel: Tensor) -> None:
        """Take the closest separable kernel, one SVD for each input channel, and fit the matrix to its channels."""
        pointwise = kernel[:, :, 0, 0]
        if self.depth is not None:
            u, v = _rank_one(kernel)
            self.depth.copy_(v.reshape(self.depth.shape))
            pointwise = u.mT
        self.matrix.fit(pointwise.to(next(self.matrix.parameters()).dtype))

    @property
    def weight(self) -> Float[Tensor, "o i k l"]:
        """The kernel that is stood for."""
        pointwise = self.matrix()[:, :, None, None]
        return pointwise if self.depth is None else pointwise * self.depth[:, 0]

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return ‖K‖² = Σ_i ‖P[:, i]‖² ‖D[i]‖²."""
        squares = widened(self.matrix()).square().sum(0)
        if self.depth is not None:
            squares = squares * widened(self.depth).square().sum((1, 2, 3))
        return squares.sum()

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Convolve as the dense convolution would with the kernel that is stood for."""
        mode = self.settings["padding_mode"]
        x = F.pad(x, self._pad, mode="constant" if mode == "zeros" else mode)
        stride, dilation = self.settings["stride"], self.settings["dilation"]
        if self.depth is not None:
            x = F.conv2d(x, self.depth, None, stride, 0, dilation, self.in_channels)
            stride = (1, 1)
        return F.conv2d(x, self.matrix()[:, :, None, None], self.bias, stride)

    def to_dense(self) -> nn.Conv2d:
        """Return the `nn.Conv2d` of the same function."""
        weight = self.weight
        dense = nn.Conv2d(
            self.in_channels, self.out_channels, self.kernel_size,
            bias=self.bias is not None, device=weight.device, dtype=weight.dtype, **self.settings,
        )  # fmt: skip
        with torch.no_grad():
            dense.weight.copy_(weight)
            if dense.bias is not None and self.bias is not None:
                dense.bias.copy_(self.bias)
        return dense.train(self.training)

    def extra_repr(self) -> str:
        """Name the sizes."""
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"


class ShuffledConv2d(StructuredConv2d):
    """ShuffleNet's bottleneck without its nonlinearities: grouped 1×1 to o // 4, a shuffle, depthwise, grouped 1×1.

    c_i c_o / 4g + k² c_o / 4 + c_o² / 4g numbers. It stands for the kernel Σ_c P₂[o, c] D[c, a, b] P₁[c, i], of which
    each group sees a part of the channels; there is no closed form, so its values are drawn.

    Args:
        dense: as in `StructuredConv2d`.
        groups: g; reduced until it divides the channels.
    """

    depth: nn.Parameter

    def __init__(self, dense: nn.Conv2d, groups: int) -> None:
        nn.Module.__init__(self)
        self._take(dense)
        o, i, k, l = dense.weight.shape
        self.groups, middle = shuffle_groups(o, i, groups), o // 4
        std = widened(dense.weight.detach()).std().item()
        # Each stage is drawn so that the kernel has the given one's spread; a draw, hence fixed.
        generator = torch.Generator().manual_seed(0)
        shapes = ((middle, i // self.groups), (middle, k * l), (o, middle // self.groups))
        drawn = [torch.randn(shape, generator=generator) for shape in shapes]
        self.first = nn.Parameter(drawn[0].to(dense.weight)[:, :, None, None])
        self.depth = nn.Parameter(drawn[1].reshape(middle, 1, k, l).to(dense.weight))
        self.last = nn.Parameter(drawn[2].to(dense.weight)[:, :, None, None])
        with torch.no_grad():
            self.first.mul_(std / widened(self.weight).std().clamp_min(1e-12))
            # the same kernel, in stages of equal size
            sizes = [s.square().mean().sqrt() for s in (self.first, self.depth, self.last)]
            mean = torch.stack(sizes).prod() ** (1 / 3)
            for stage, size in zip((self.first, self.depth, self.last), sizes, strict=True):
                stage.mul_(mean / size)
        self.requires_grad_(dense.weight.requires_grad)
        self.train(dense.training)

    @property
    def weight(self) -> Float[Tensor, "o i k l"]:
        """The kernel that is stood for."""
        first, last = (_ungrouped(w[:, :, 0, 0], self.groups) for w in (self.first, self.last))
        first = first[self._order()]
        return torch.einsum("oc,cab,ci->oiab", last, self.depth[:, 0], first)

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return ‖K‖², with the kernel formed."""
        return widened(self.weight).square().sum()

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Convolve in three stages."""
        alone = x.dim() == 3
        mode = self.settings["padding_mode"]
        x = F.pad(x, self._pad, mode="constant" if mode == "zeros" else mode)
        x = F.conv2d(x, self.first, groups=self.groups)
        x = x[self._order()] if alone else x[:, self._order()]
        stride, dilation = self.settings["stride"], self.settings["dilation"]
        x = F.conv2d(x, self.depth, None, stride, 0, dilation, len(self.depth))
        return F.conv2d(x, self.last, self.bias, groups=self.groups)

    def _order(self) -> Tensor:
        """Return which channel comes where after the shuffle: one of each group in turn."""
        places = torch.arange(len(self.first), device=self.first.device)
        return places.reshape(self.groups, -1).mT.reshape(-1)


class StructuredLinear(StructuredLayer):
    """y = x Pᵀ + b with a structured matrix P.

    Args:
        dense: the layer whose place it takes; its bias and values are taken over.
        kind: of the matrix.
        share: of the matrix, see each kind.
    """

    def __init__(self, dense: nn.Linear, kind: type[Matrix], share: float) -> None:
        super().__init__()
        self.in_features, self.out_features = dense.in_features, dense.out_features
        self.matrix = kind(dense.out_features, dense.in_features, share)
        self.matrix.to(dense.weight.device, dense.weight.dtype)
        self.matrix.fit(dense.weight.detach())
        bias: Tensor | None = dense.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.requires_grad_(dense.weight.requires_grad)
        self.train(dense.training)

    @property
    def weight(self) -> Float[Tensor, "o i"]:
        """The matrix that is stood for."""
        return self.matrix()

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return ‖P‖²."""
        return widened(self.matrix()).square().sum()

    def forward(self, x: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        """Map the last dimension."""
        return F.linear(x, self.matrix(), self.bias)

    def to_dense(self) -> nn.Linear:
        """Return the `nn.Linear` of the same function."""
        weight = self.weight
        like = {"device": weight.device, "dtype": weight.dtype}
        dense = nn.Linear(self.in_features, self.out_features, self.bias is not None, **like)
        with torch.no_grad():
            dense.weight.copy_(weight)
            if self.bias is not None:
                dense.bias.copy_(self.bias)
        return dense.train(self.training)


@dataclass(frozen=True)
class Method:
    """A substitute: how many parameters it needs for a layer at a share in [0, 1], and how it is made."""

    size: Callable[[nn.Module, float], int]
    build: Callable[[Any, float], nn.Module]
    fits: Callable[[nn.Module], bool] = lambda _: True


def _pointwise(kind: type[Matrix]) -> Method:
    def size(layer: nn.Module, share: float) -> int:
        o, i, *kernel = _shape(layer)
        depth = i * math.prod(kernel) if math.prod(kernel) > 1 else 0
        return depth + kind.size(o, i, share)

    def build(layer: Any, share: float) -> nn.Module:
        made = StructuredConv2d if isinstance(layer, nn.Conv2d) else StructuredLinear
        return made(layer, kind, share)

    def fits(layer: nn.Module) -> bool:
        o, i, *_ = _shape(layer)
        return kind is not Tied or o % i == 0

    return Method(size, build, fits)


def _most_groups(layer: nn.Module) -> int:
    o, i, *_ = _shape(layer)
    return max((g for g in range(1, o // 4 + 1) if shuffle_groups(o, i, g) == g), default=0)


def _groups_at(layer: nn.Module, share: float) -> int:
    """Return the groups at a share: one group at 1, as many as divide the channels at 0."""
    o, i, *_ = _shape(layer)
    return shuffle_groups(o, i, round((1 - share) * _most_groups(layer) + share))


def _shuffle_size(layer: nn.Module, share: float) -> int:
    o, i, *kernel = _shape(layer)
    groups, middle = _groups_at(layer, share), o // 4
    return (i * middle + middle * o) // groups + middle * math.prod(kernel)


METHODS: Mapping[str, Method] = {
    "separable": _pointwise(Whole),
    "bottleneck": _pointwise(Bottleneck),
    "tied": _pointwise(Tied),
    "tensor-train": _pointwise(TensorTrain),
    "tucker": _pointwise(Tucker),
    "cp": _pointwise(CP),
    "hashed": _pointwise(Hashed),
    "acdc": _pointwise(ACDC),
    "shuffle": Method(
        _shuffle_size,
        lambda layer, share: ShuffledConv2d(layer, _groups_at(layer, share)),
        lambda layer: isinstance(layer, nn.Conv2d) and _most_groups(layer) > 0,
    ),
}
"""The substitutes by name; "low-rank" is `factorize`."""


def substitute(model: nn.Module, method: str, budget: float, *, keep: Keep = None) -> nn.Module:
    """Return a new model of at most `budget` of the parameters, its convolutions and linear layers replaced.

    A k × k convolution becomes a depthwise one and a structured 1 × 1; what is structured starts as close to the given weight as
    its form allows (TT-SVD, HOSVD, alternating least squares, means; "shuffle" and "acdc" are drawn). One share
    serves all layers. Layers stay dense for the reasons given at `factorize`, and where a substitute would not save
    anything or does not exist. `frobenius_decay` and `parameter_groups` see the substitutes, `densify` turns them back.

    Args:
        method: "low-rank", which is `factorize`, or one of `METHODS`.
        budget: parameters of the new model over those of the given one, in (0, 1].
        keep: as in `factorize`.

    Raises:
        ValueError: the method is unknown; the budget is out of range or below what the method can do; nothing can be
            replaced.

    Source: https://arxiv.org/abs/1906.00859.
    """
    if method == "low-rank":
        return factorize(model, budget, keep=keep)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; known are low-rank, {', '.join(METHODS)}.")
    if not 0 < budget <= 1:
        raise ValueError(
            f"The budget is {budget}; it is the share of parameters to keep, in (0, 1]."
        )
    found, how = find_candidates(model), METHODS[method]
    left = kept(model, found, keep)
    layers = {
        name: c.layer
        for name, c in found.candidates.items()
        if name not in left
        and isinstance(c.layer, nn.Conv2d | nn.Linear)
        and how.fits(c.layer)
        and how.size(c.layer, 0.0) < math.prod(_shape(c.layer))
    }
    if not layers:
        raise ValueError(f"Nothing in {type(model).__name__} can be replaced by {method}.")
    total = sum(p.numel() for p in model.parameters())

    def chosen(share: float) -> dict[str, nn.Module]:
        return {n: m for n, m in layers.items() if how.size(m, share) < math.prod(_shape(m))}

    def parameters(share: float) -> int:
        return total + sum(
            min(0, how.size(m, share) - math.prod(_shape(m))) for m in layers.values()
        )

    if parameters(0.0) > budget * total:
        least = math.ceil(parameters(0.0) / total * 10_000) / 10_000
        raise ValueError(
            f"A budget of {budget} is {math.floor(budget * total)} of {total} parameters; {method} leaves "
            f"{parameters(0.0)} at the least. Take at least {least}, or keep less."
        )
    share = largest_share(lambda share: parameters(share) <= budget * total)
    replaced = {id(m): how.build(m, share) for m in chosen(share).values()}
    return copy.deepcopy(model, dict(replaced))


def shuffle_groups(o: int, i: int, groups: int) -> int:
    """Return the most groups up to a number that divide the channels in, out and between, o // 4.

    Example:
        >>> shuffle_groups(160, 16, 7), shuffle_groups(160, 160, 7)
        (4, 5)
    """
    return next((g for g in range(groups, 0, -1) if i % g == o % g == (o // 4) % g == 0), 1)


def _ungrouped(weight: Tensor, groups: int) -> Tensor:
    """Return a grouped map (o, i / g) as the block-diagonal (o, i)."""
    return torch.block_diag(*weight.chunk(groups))


def _rank_one(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each input channel (i, o) and (i, k l), the closest product, the second of the size of fresh weights."""
    o, i, k, l = kernel.shape
    a, s, b_t = torch.linalg.svd(
        widened(kernel).transpose(0, 1).reshape(i, o, k * l), full_matrices=False
    )
    # A depthwise kernel of norm 1; its scale and sign are free, the pointwise one takes the rest.
    return a[..., 0] * s[:, :1], b_t[:, 0]


def _shape(layer: nn.Module) -> torch.Size:
    shape: torch.Size = nn.Module.get_parameter(layer, "weight").shape
    return shape
