"""Feature maps φ, for which φ(x)·φ(y) stands for a similarity of x and y: exp(x·y), or one of its own.

Every map returns φ(x) as `Features(log, sign)`, φ = sign · exp(log), because attention divides by a
sum of features: with logarithms at hand the common scale is taken out exactly, and no epsilon is needed.
A function of x that returns `Features` is all that `favor_attention` asks for.
"""

import math
import zlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .draws import DRAWS


class Features(NamedTuple):
    """φ(x) = sign · exp(log), of f features.

    log: (..., f), or (..., 1) where all features of a row share one magnitude.
    sign: (..., f), any real factor of moderate size, for each row or one for all; None for features that are never
        negative. A map gives one at every call or at none: without it no sum is looked at for its sign.

    They belong to who asked for them: attention writes over `log` where no gradient is wanted.
    """

    log: Tensor
    sign: Tensor | None = None

    def halves(self) -> tuple["Features", "Features"]:
        """Return those of the first half of the rows, and those of the second."""
        half = self.log.shape[-2] // 2
        log, sign = self.log.split_with_sizes((half, half), -2), self.sign
        if sign is None or sign.ndim < 2 or sign.shape[-2] == 1:  # the same for all rows
            return Features(log[0], sign), Features(log[1], sign)
        signs = sign.split_with_sizes((half, half), -2)
        return Features(log[0], signs[0]), Features(log[1], signs[1])


def positive_features(
    x: Float[Tensor, "*batch n d"], projection: Float[Tensor, "*b m d"]
) -> Features:
    """Return φ(x) = exp(w·x − |x|²/2)/√m, Lemma 1 (FAVOR+). All positive; m features for m draws."""
    half = -0.5 * math.log(projection.shape[-2])
    norm = torch.rsub((x * x).sum(-1, keepdim=True), half, alpha=0.5)
    return Features((x @ projection.mT).add_(norm))


def hyperbolic_features(
    x: Float[Tensor, "*batch n d"], projection: Float[Tensor, "*b m d"]
) -> Features:
    """Return φ(x) = exp(±w·x − |x|²/2)/√(2m), Lemma 1 (hyp+). Positive; 2m features for m draws."""
    half_norm = 0.5 * x.square().sum(-1, keepdim=True)
    wx = x @ projection.mT
    return Features(
        torch.cat([wx, -wx], -1) - (half_norm + 0.5 * math.log(2 * projection.shape[-2]))
    )


def trigonometric_features(
    x: Float[Tensor, "*batch n d"], projection: Float[Tensor, "*b m d"]
) -> Features:
    """Return φ(x) = exp(|x|²/2)/√m · [sin w·x, cos w·x], equation (6). 2m signed features.

    The estimate of a small exp(x·y) is a difference of large numbers, so that the denominator of an
    attention may come out near zero or negative. That is the method, and nothing here hides it.
    """
    half_norm = 0.5 * x.square().sum(-1, keepdim=True)
    wx = x @ projection.mT
    return Features(
        half_norm - 0.5 * math.log(projection.shape[-2]), torch.cat([wx.sin(), wx.cos()], -1)
    )


def relu_features(
    x: Float[Tensor, "*batch n d"], projection: Float[Tensor, "*b m d"] | None = None
) -> Features:
    """Return φ(x) = max(w·x, 0) + 0.001, or max(x, 0) + 0.001 without w: the Performer-ReLU of section 4.3.

    A kernel of its own, which estimates no other. The constant is that of the published code.
    """
    wx = x if projection is None else x @ projection.mT
    return Features((wx.relu() + 1e-3).log())


def elu_features(
    x: Float[Tensor, "*batch n d"], projection: Float[Tensor, "*b m d"] | None = None
) -> Features:
    """Return φ(x) = elu(w·x) + 1, or elu(x) + 1 without w: the Linear Transformer (arXiv 2006.16236)."""
    wx = x if projection is None else x @ projection.mT
    return Features(torch.where(wx < 0, wx, wx.clamp(min=0).log1p()))


_PHI: dict[str, tuple[Callable[..., Features], int]] = {  # and features per draw
    "positive": (positive_features, 1),
    "hyperbolic": (hyperbolic_features, 2),
    "trigonometric": (trigonometric_features, 2),
    "relu": (relu_features, 1),
    "elu": (elu_features, 1),
}
_OF_SOFTMAX = ("positive", "hyperbolic", "trigonometric")


def learned_features(x: Float[Tensor, "*batch n d"], weight: Float[Tensor, "*b m d"]) -> Features:
    """Return φ(x) = [exp(W x), exp(−W x)], the feature map of Hedgehog (arXiv 2402.04347). 2m positive features."""
    wx = x @ weight.mT
    return Features(torch.cat([wx, -wx], -1))


class FeatureMap(nn.Module):
    """φ as a function of x and of one matrix at most: with it at hand, features can be made again for the gradient."""

    dim: int
    """d, the length of x."""
    num_features: int
    """The length of φ(x)."""
    _map: Callable[..., Features]
    _matrix: str

    @property
    def matrix(self) -> Tensor | None:
        """w, or None where there is none."""
        found: Tensor | None = getattr(self, self._matrix)
        return found

    def of(self, x: Tensor, matrix: Tensor | None) -> Features:
        """Return φ(x) of x (..., n, d) with this matrix, in x's own precision.

        Raises:
            ValueError: x is not d long; says both.
        """
        if x.shape[-1] != self.dim:
            raise ValueError(
                f"x has {x.shape[-1]} coordinates and these features were made for {self.dim}: "
                f"give them dim={x.shape[-1]}."
            )
        return self._map(x, None if matrix is None else matrix.to(x.dtype))

    def forward(self, x: Float[Tensor, "..."]) -> Features:
        """Return φ(x) with its own matrix."""
        return self.of(x, self.matrix)


def _check_dim(dim: int) -> None:
    if dim < 1:
        raise ValueError(f"dim is {dim}; features are made of vectors of 1 coordinate or more.")


class RandomFeatures(FeatureMap):
    """A feature map with its draw of w.

    Args:
        dim: d, the length of x (the dimension of one head).
        num_features: length of φ(x), 256 unless told; two for each draw where φ comes in pairs.
        phi: "positive" (FAVOR+), "hyperbolic" (hyp+), "trigonometric": φ(x)·φ(y) estimates exp(x·y).
            "relu" and "elu" are kernels of their own.
        draw: "orthogonal", "iid"; "regularized" and "regularized_iid" with all norms √d (SMREG); and, for
            relu and elu, "none": the d coordinates themselves.
        generator: source of the draw; None is torch's global one.
        device: where w lies; on "meta" nothing is drawn before `redraw_`.

    Raises:
        ValueError: an unknown name (lists those known), or a number of coordinates or features that cannot be.

    `projection`, (m, d), is a buffer: saved with the model, moved with it, never trained. `draw_id` tells
    one draw from another, so that what was summed with one is not read with another.
    """

    projection: Tensor | None
    draw_id: int
    _matrix = "projection"

    def __init__(
        self,
        dim: int,
        num_features: int | None = None,
        *,
        phi: str = "positive",
        draw: str = "orthogonal",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if phi not in _PHI:
            raise ValueError(f"phi is {phi!r}; known are {', '.join(_PHI)}.")
        own = phi not in _OF_SOFTMAX
        if draw not in DRAWS and not (own and draw == "none"):
            known = [*DRAWS, "none"] if own else DRAWS
            raise ValueError(f"draw is {draw!r}; known are {', '.join(known)}.")
        self._map, per_draw = _PHI[phi]
        _check_dim(dim)
        if num_features is None:
            num_features = dim if draw == "none" else 256
        if num_features < 1 or num_features % per_draw:
            raise ValueError(
                f"{num_features} {phi} features cannot be made: they come {per_draw} for each draw "
                f"of w. Ask for a positive multiple of {per_draw}."
            )
        if draw == "none" and num_features != dim:
            raise ValueError(
                f"Without a draw there are as many features as coordinates, {dim}, not {num_features}."
            )
        self.dim, self.num_features, self.phi, self.draw = dim, num_features, phi, draw
        self.register_buffer(
            "projection",
            None if draw == "none" else torch.empty(num_features // per_draw, dim, device=device),
        )
        self.redraw_(generator)

    @property
    def of_softmax(self) -> bool:
        """Whether φ(x)·φ(y) estimates exp(x·y)."""
        return self.phi in _OF_SOFTMAX

    @torch.no_grad()
    def redraw_(self, generator: torch.Generator | None = None) -> None:
        """Replace w by a new draw, in place, as section 4.2 does from time to time in training."""
        w = self.projection
        if w is not None and not w.is_meta:
            with torch.device("cpu" if generator is None else generator.device):
                w.copy_(DRAWS[self.draw](*w.shape, generator=generator))
        self._identify()

    def _identify(self) -> None:
        w, name = (
            self.projection,
            zlib.crc32(self.phi.encode()),
        )  # another φ of one w is another map
        if w is None or w.is_meta:
            self.draw_id = name
        else:
            self.draw_id = zlib.crc32(w.double().cpu().numpy().tobytes(), name)

    def _load_from_state_dict(self, *args) -> None:  # type: ignore[no-untyped-def]
        super()._load_from_state_dict(*args)
        self._identify()

    def _apply(self, *args, **kwargs) -> "RandomFeatures":  # type: ignore[no-untyped-def]
        super()._apply(*args, **kwargs)
        self._identify()  # w rounded to another precision is another w
        return self

    def extra_repr(self) -> str:
        """Name the sizes and the draw in `print(model)`."""
        return f"{self.dim}, num_features={self.num_features}, phi={self.phi!r}, draw={self.draw!r}"


class LearnedFeatures(FeatureMap):
    """φ(x) = [exp(W x), exp(−W x)] with a trained W: the feature map of Hedgehog (arXiv 2402.04347).

    Args:
        dim: d, the length of x.
        num_features: length of φ(x), even; 2 d unless told.
        heads: leading axes of W, which broadcast against those of x: (h, 1, 1) gives each of h heads its own.
        device, dtype: of W.

    Raises:
        ValueError: no coordinates, an odd number of features, or none.

    W begins as the identity (its rows again and again where there are more). It has no draw, so that a
    state that was summed before an update of W goes on after it, as a cache of keys would.
    """

    of_softmax = False
    _map = staticmethod(learned_features)
    _matrix = "weight"

    def __init__(
        self,
        dim: int,
        num_features: int | None = None,
        *,
        heads: tuple[int, ...] = (),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_dim(dim)
        num_features = 2 * dim if num_features is None else num_features
        if num_features < 2 or num_features % 2:
            raise ValueError(
                f"{num_features} learned features cannot be made: they come in pairs. "
                "Ask for a positive multiple of 2."
            )
        self.dim, self.num_features = dim, num_features
        self.weight = nn.Parameter(
            torch.empty(*heads, num_features // 2, dim, device=device, dtype=dtype)
        )
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Make W the identity."""
        rows = torch.arange(self.num_features // 2, device=self.weight.device)
        self.weight.zero_()[..., rows, rows % self.dim] = 1.0

    def extra_repr(self) -> str:
        """Name the sizes in `print(model)`."""
        return (
            f"{self.dim}, num_features={self.num_features}, heads={tuple(self.weight.shape[:-2])}"
        )


def feature_map(
    phi: str,
    dim: int,
    num_features: int | None = None,
    *,
    draw: str = "orthogonal",
    heads: tuple[int, ...] = (),
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> RandomFeatures | LearnedFeatures:
    """Return the map of a name: "learned", with W of this `dtype`, or one of `RandomFeatures`."""
    if phi == "learned":
        return LearnedFeatures(dim, num_features, heads=heads, device=device, dtype=dtype)
    return RandomFeatures(dim, num_features, phi=phi, draw=draw, generator=generator, device=device)
