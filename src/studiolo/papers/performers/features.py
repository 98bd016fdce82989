"""Random features of the softmax kernel exp(x·y): how w is drawn, and what is made of w·x.

Every map returns φ(x) as `Features(log, sign)`, φ = sign · exp(log), because attention divides by a
sum of features: with logarithms at hand the common scale is taken out exactly, and no epsilon is needed.
"""

import math
import zlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Features(NamedTuple):
    """φ(x) = sign · exp(log), of f features.

    log: (..., f), or (..., 1) where all features of a row share one magnitude.
    sign: (..., f), any real factor of moderate size; None for positive features.
    """

    log: Tensor
    sign: Tensor | None = None


def iid_projection(
    num_draws: int, dim: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "m d"]:
    """Return m independent rows w ~ N(0, I_d)."""
    return torch.randn(num_draws, dim, generator=generator)


def orthogonal_projection(
    num_draws: int, dim: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "m d"]:
    """Return m rows, each N(0, I_d), orthogonal to each other inside every block of d rows.

    The directions are the rows of a Haar matrix, the norms are drawn apart from them (chi with d
    degrees of freedom). Blocks are independent; the last one may be cut short.

    Source: https://arxiv.org/abs/2009.14794, section 2.4 and appendix B.2; Mezzadri,
        https://arxiv.org/abs/math-ph/0609050, for the signs.
    Differs: published implementations keep LAPACK's signs. Then w_11 < 0 always, no row is N(0, I_d),
        and positive features are biased.
    """
    norms = torch.randn(num_draws, dim, generator=generator).norm(dim=1, keepdim=True)
    return norms * _orthonormal_rows(num_draws, dim, generator)


def regularized_projection(
    num_draws: int, dim: int, *, generator: torch.Generator | None = None
) -> Float[Tensor, "m d"]:
    """Return orthogonal rows of norm √d: with positive features, the kernel SMREG of theorem 1."""
    return math.sqrt(dim) * _orthonormal_rows(num_draws, dim, generator)


def _orthonormal_rows(num_draws: int, dim: int, generator: torch.Generator | None) -> Tensor:
    blocks = -(-num_draws // dim)
    # float64: the Gram-Schmidt of a nearly dependent float32 block is not orthogonal to 1e-6
    gaussian = torch.randn(blocks, dim, dim, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian)
    haar = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)  # signs of columns, not of rows
    return haar.reshape(blocks * dim, dim)[:num_draws].to(torch.get_default_dtype())


def positive_features(
    x: Float[Tensor, "*batch n d"], projection: Float[Tensor, "*b m d"]
) -> Features:
    """Return φ(x) = exp(w·x − |x|²/2)/√m, Lemma 1 (FAVOR+). All positive; m features for m draws."""
    half_norm = 0.5 * x.square().sum(-1, keepdim=True)
    return Features((x @ projection.mT).sub_(half_norm + 0.5 * math.log(projection.shape[-2])))


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


_PHI: dict[str, tuple[Callable[[Tensor, Tensor], Features], int]] = {  # and features per draw
    "positive": (positive_features, 1),
    "hyperbolic": (hyperbolic_features, 2),
    "trigonometric": (trigonometric_features, 2),
}
_DRAW: dict[str, Callable[..., Tensor]] = {
    "orthogonal": orthogonal_projection,
    "iid": iid_projection,
    "regularized": regularized_projection,
}


class RandomFeatures(nn.Module):
    """A feature map with its draw of w: `phi(x) · phi(y)` estimates exp(x·y).

    Args:
        dim: d, the length of x (the dimension of one head).
        num_features: length of φ(x); two for each draw unless `phi` is "positive".
        phi: "positive" (FAVOR+), "hyperbolic" (hyp+) or "trigonometric".
        draw: "orthogonal", "iid", or "regularized" (orthogonal, norms √d: SMREG).
        generator: source of the draw; None is torch's global one.
        device: where w lies; on "meta" nothing is drawn before `redraw_`.

    Raises:
        ValueError: an unknown name (lists those known), or an odd number of paired features.

    `projection`, (m, d), is a buffer: saved with the model, moved with it, never trained. `draw_id` tells
    one draw from another, so that what was summed with one is not read with another.
    """

    projection: Tensor
    draw_id: int

    def __init__(
        self,
        dim: int,
        num_features: int = 256,
        *,
        phi: str = "positive",
        draw: str = "orthogonal",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if phi not in _PHI:
            raise ValueError(f"phi is {phi!r}; known are {', '.join(_PHI)}.")
        if draw not in _DRAW:
            raise ValueError(f"draw is {draw!r}; known are {', '.join(_DRAW)}.")
        self._map, per_draw = _PHI[phi]
        if num_features < 1 or num_features % per_draw:
            raise ValueError(
                f"{num_features} {phi} features cannot be made: they come {per_draw} for each draw "
                f"of w. Ask for a positive multiple of {per_draw}."
            )
        self.dim, self.num_features, self.phi, self.draw = dim, num_features, phi, draw
        self.register_buffer(
            "projection", torch.empty(num_features // per_draw, dim, device=device)
        )
        self.redraw_(generator)

    @torch.no_grad()
    def redraw_(self, generator: torch.Generator | None = None) -> None:
        """Replace w by a new draw, in place, as section 4.2 does from time to time in training."""
        if not self.projection.is_meta:
            self.projection.copy_(_DRAW[self.draw](*self.projection.shape, generator=generator))
        self._identify()

    def _identify(self) -> None:
        w = self.projection
        self.draw_id = 0 if w.is_meta else zlib.crc32(w.double().cpu().numpy().tobytes())

    def _load_from_state_dict(self, *args) -> None:  # type: ignore[no-untyped-def]
        super()._load_from_state_dict(*args)
        self._identify()

    def forward(self, x: Float[Tensor, "..."]) -> Features:
        """Return φ(x) of x (..., n, d), in x's own precision.

        Raises:
            ValueError: x is not d long; says both.
        """
        if x.shape[-1] != self.dim:
            raise ValueError(
                f"x has {x.shape[-1]} coordinates and these features were drawn for {self.dim}. "
                f"Draw RandomFeatures({x.shape[-1]}, ...)."
            )
        return self._map(x, self.projection.to(x.dtype))

    def extra_repr(self) -> str:
        """Name the sizes and the draw in `print(model)`."""
        return f"{self.dim}, num_features={self.num_features}, phi={self.phi!r}, draw={self.draw!r}"
