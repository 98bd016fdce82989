"""Matrices (o, i) that are computed from fewer numbers: the pointwise maps of Gray, Crowley and Storkey.

Each class has one number for its size, `size(o, i, s)` counts what it would hold, and `share` in (0, 1] is that number
as the published code names it. Source: https://arxiv.org/abs/1906.00859 and its repository.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .inits import spectral_init


class Matrix(nn.Module, ABC):
    """A matrix from fewer numbers than it has entries.

    Args:
        o: rows, the outputs.
        i: columns, the inputs.
        share: of the full rank, or of the entries; see each class.

    Attributes:
        sized: whether the share changes anything.
    """

    sized: ClassVar[bool] = True

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__()
        self.o, self.i, self.share = o, i, share

    @staticmethod
    @abstractmethod
    def size(o: int, i: int, share: float) -> int:
        """Return how many numbers the matrix has; it never falls as the share grows."""

    @abstractmethod
    def forward(self) -> Float[Tensor, "o i"]:
        """Return the matrix, with a gradient."""

    @abstractmethod
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """Take the values that stand for a given matrix most closely, or, where no closed form is known, nearly so."""

    def extra_repr(self) -> str:
        """Name the sizes."""
        return f"{self.o}, {self.i}, share={self.share:.4g}"


class Whole(Matrix):
    """Every entry a number of its own: what a separable convolution has between channels."""

    sized = False

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        self.entries = nn.Parameter(torch.empty(o, i))

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """o i."""
        return o * i

    def forward(self) -> Float[Tensor, "o i"]:
        """Return the entries."""
        return self.entries

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """Take the entries."""
        self.entries.copy_(matrix)


class Bottleneck(Matrix):
    """U Vᵀ of rank int(share · max(o, i)), the published code's Generic."""

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        rank = _rank(o, i, share)
        self.U, self.V = nn.Parameter(torch.empty(o, rank)), nn.Parameter(torch.empty(i, rank))

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """r (o + i)."""
        return _rank(o, i, share) * (o + i)

    def forward(self) -> Float[Tensor, "o i"]:
        """Return U Vᵀ."""
        return self.U @ self.V.mT

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """Take the leading singular directions."""
        for factor, value in zip(
            (self.U, self.V), spectral_init(matrix, self.U.shape[1]), strict=True
        ):
            factor.copy_(value)


class Tied(Matrix):
    """Fᵀ F with the inputs repeated to o: r o numbers, the published code's LR. Its symmetric part alone can be fitted."""

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        if o % i:
            raise ValueError(
                f"A tied matrix repeats its inputs, and {i} inputs cannot be repeated to {o} outputs."
            )
        self.F = nn.Parameter(torch.empty(_rank(o, i, share), o))

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """r o."""
        return _rank(o, i, share) * o

    def forward(self) -> Float[Tensor, "o i"]:
        """Return Fᵀ F, its columns that read the same input added up."""
        return (self.F.mT @ self.F).reshape(self.o, -1, self.i).sum(1)

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """Take the positive part of the symmetric part of the matrix, spread over the repetitions."""
        spread = matrix.repeat(1, self.o // self.i) / (self.o // self.i)
        values, vectors = torch.linalg.eigh((spread + spread.mT) / 2)
        leading = values.argsort(descending=True)[: len(self.F)]
        self.F.copy_((vectors[:, leading] * values[leading].clamp_min(0).sqrt()).mT)
        missing = len(self.F) - int((values[leading] > 0).sum())
        if missing:  # a row of zeros would never learn
            small = self.F.abs().max() * 1e-2 + 1e-4
            self.F[-missing:] = small * torch.randn_like(self.F[-missing:])


class TensorTrain(Matrix):
    """The entries as a tensor of three nearly equal sizes, a train of three cores: Σ r_{j−1} d_j r_j numbers."""

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        (d1, d2, d3), (r1, r2) = near_cube(o, i), _train_ranks(o, i, share)
        self.first = nn.Parameter(torch.empty(d1, r1))
        self.middle = nn.Parameter(torch.empty(r1, d2, r2))
        self.last = nn.Parameter(torch.empty(r2, d3))

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """d_1 r_1 + r_1 d_2 r_2 + r_2 d_3."""
        (d1, d2, d3), (r1, r2) = near_cube(o, i), _train_ranks(o, i, share)
        return d1 * r1 + r1 * d2 * r2 + r2 * d3

    def forward(self) -> Float[Tensor, "o i"]:
        """Contract the train."""
        tail = torch.einsum("pbq,qc->pbc", self.middle, self.last).flatten(1)
        return (self.first @ tail).reshape(self.o, self.i)

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """TT-SVD: one truncated SVD after the other, balanced between the cores."""
        d1, d2, d3 = near_cube(self.o, self.i)
        r1, r2 = self.first.shape[1], self.last.shape[0]
        first, rest = spectral_init(matrix.reshape(d1, d2 * d3), r1)
        middle, last = spectral_init(rest.mT.reshape(r1 * d2, d3), r2)
        self.first.copy_(first)
        self.middle.copy_(middle.reshape(r1, d2, r2))
        self.last.copy_(last.mT)


class Tucker(Matrix):
    """The same tensor as a core with a matrix for each side: Σ d_j r_j + r_1 r_2 r_3 numbers.

    Differs: the published code keeps the core as a train of its own, with more numbers for the same tensors.
    """

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        dims, ranks = near_cube(o, i), _tucker_ranks(o, i, share)
        self.sides = nn.ParameterList(torch.empty(d, r) for d, r in zip(dims, ranks, strict=True))
        self.core = nn.Parameter(torch.empty(*ranks))

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """Σ d_j r_j + r_1 r_2 r_3."""
        dims, ranks = near_cube(o, i), _tucker_ranks(o, i, share)
        return sum(d * r for d, r in zip(dims, ranks, strict=True)) + math.prod(ranks)

    def forward(self) -> Float[Tensor, "o i"]:
        """Multiply the core by its sides."""
        a, b, c = self.sides
        return torch.einsum("pqr,ap,bq,cr->abc", self.core, a, b, c).reshape(self.o, self.i)

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """HOSVD: the leading directions of each unfolding, and the tensor seen through them."""
        tensor = matrix.reshape(near_cube(self.o, self.i))
        for axis, side in enumerate(self.sides):
            unfolded = tensor.movedim(axis, 0).flatten(1)
            side.copy_(torch.linalg.svd(unfolded, full_matrices=False)[0][:, : side.shape[1]])
        self.core.copy_(torch.einsum("abc,ap,bq,cr->pqr", tensor, *self.sides))


class CP(Matrix):
    """The same tensor as a sum of r products of three vectors: r Σ d_j numbers, at a share of 1 as many as entries.

    Differs: the published code's share is of the smallest side, beyond which a tensor can still gain.
    """

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        rank = _cp_rank(o, i, share)
        self.sides = nn.ParameterList(torch.empty(d, rank) for d in near_cube(o, i))

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """r (d_1 + d_2 + d_3)."""
        return _cp_rank(o, i, share) * sum(near_cube(o, i))

    def forward(self) -> Float[Tensor, "o i"]:
        """Add up the products."""
        a, b, c = self.sides
        return torch.einsum("ar,br,cr->abc", a, b, c).reshape(self.o, self.i)

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """Alternating least squares, twenty rounds from a fixed draw, then sides of equal length."""
        tensor = matrix.double().reshape(near_cube(self.o, self.i))
        rank = self.sides[0].shape[1]
        generator = torch.Generator().manual_seed(0)
        sides = [
            torch.randn(d, rank, generator=generator, dtype=torch.float64).to(tensor.device)
            for d in tensor.shape
        ]
        ridge = 1e-9 * tensor.square().mean().sqrt().clamp_min(1e-30)
        for _ in range(20):
            for axis, letters in enumerate(("abc,br,cr->ar", "abc,ar,cr->br", "abc,ar,br->cr")):
                p, q = (sides[j] for j in range(3) if j != axis)
                gram = (p.mT @ p) * (q.mT @ q)
                gram = gram + ridge * torch.eye(rank, dtype=gram.dtype, device=gram.device)
                sides[axis] = torch.linalg.solve(gram, torch.einsum(letters, tensor, p, q).mT).mT
        lengths = [side.norm(dim=0).clamp_min(1e-12) for side in sides]
        mean = torch.stack(lengths).log().mean(0).exp()
        for parameter, side, length in zip(self.sides, sides, lengths, strict=True):
            parameter.copy_(side / length * mean)


class Hashed(Matrix):
    """Entries that share int(share · o i) numbers at random, each with a random sign.

    Source: https://arxiv.org/abs/1504.04788. Differs: the published code has no signs and never uses its last number.
    """

    place: Tensor
    sign: Tensor

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        count = Hashed.size(o, i, share)
        self.numbers = nn.Parameter(torch.empty(count))
        generator = torch.Generator().manual_seed(o * 1_000_003 + i)
        # Each number serves equally many entries, give or take one.
        order = torch.randperm(o * i, generator=generator)
        self.register_buffer("place", order.reshape(o, i) % count)
        signs = torch.randint(0, 2, (o, i), generator=generator, dtype=torch.int8) * 2 - 1
        self.register_buffer("sign", signs)

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """int(share · o i), at least 1."""
        return max(1, int(share * o * i))

    def forward(self) -> Float[Tensor, "o i"]:
        """Look the entries up."""
        return self.numbers[self.place] * self.sign

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """Take the mean of the entries that share a number, each with its sign: the closest there is."""
        place, count = self.place.flatten(), torch.zeros_like(self.numbers)
        count.index_add_(0, place, torch.ones_like(place, dtype=count.dtype))
        total = torch.zeros_like(self.numbers)
        total.index_add_(0, place, (matrix * self.sign).flatten().to(total.dtype))
        self.numbers.copy_(total / count)


class ACDC(Matrix):
    """A product of n layers A · DCT · D · DCT⁻¹ with channels shuffled between, A and D diagonal: 2 n max(o, i) numbers.

    n is int(share · max(o, i) / 2), so that a share of 1 has as many numbers as a square matrix has.

    Source: https://arxiv.org/abs/1511.05946. Differs: the published code builds one layer less than it is asked for.
    """

    basis: Tensor

    def __init__(self, o: int, i: int, share: float) -> None:
        super().__init__(o, i, share)
        side = max(o, i)
        layers = ACDC.size(o, i, share) // (2 * side)
        self.A, self.D = (nn.Parameter(torch.empty(layers, side)) for _ in range(2))
        k = torch.arange(side, dtype=torch.float64)
        basis = torch.cos(math.pi / side * k[:, None] * (k + 0.5)) * (2 / side) ** 0.5
        basis[0] /= 2**0.5
        self.register_buffer("basis", basis.float(), persistent=False)

    @staticmethod
    def size(o: int, i: int, share: float) -> int:
        """2 n max(o, i)."""
        side = max(o, i)
        return 2 * side * max(1, int(share * side / 2))

    def forward(self) -> Float[Tensor, "o i"]:
        """Multiply the layers out; an input is repeated, and an output dropped, to fit the square."""
        side, basis = max(self.o, self.i), self.basis.to(self.A.dtype)
        whole = torch.eye(side, device=self.A.device, dtype=self.A.dtype)
        for a, d in zip(self.A, self.D, strict=True):
            whole = basis.mT @ (d[:, None] * (basis @ (a[:, None] * whole)))
            whole = _riffled(whole)
        columns = torch.arange(side, device=whole.device) % self.i
        gather = whole.new_zeros(side, self.i)
        gather[torch.arange(side, device=whole.device), columns] = 1.0
        return (whole @ gather)[: self.o]

    @torch.no_grad()
    def fit(self, matrix: Float[Tensor, "o i"]) -> None:
        """Draw around the identity, as its authors do, with the size of the matrix: no closed form is known."""
        generator = torch.Generator().manual_seed(0)
        for diagonal in (self.A, self.D):
            diagonal.copy_(1 + 0.1 * torch.randn(diagonal.shape, generator=generator))
        size = self().norm()
        self.A[0] *= (matrix.norm() / size).to(self.A.dtype)


def near_cube(o: int, i: int) -> tuple[int, int, int]:
    """Return three nearly equal sizes with the product o i, as the published code finds them.

    The cube root if it is whole, else twice the next divisor from the rounded cube root upwards, and the rest.

    Example:
        >>> near_cube(160, 160), near_cube(16, 32)
        ((32, 32, 25), (8, 8, 8))
    """
    left = o * i
    root = round(left ** (1 / 3))
    if root**3 == left:
        return root, root, root
    sizes = []
    for _ in range(2):
        size = left if left < root else next(d for d in range(root, left + 1) if left % d == 0)
        sizes.append(size)
        left //= size
    return sizes[0], sizes[1], left


def _rank(o: int, i: int, share: float) -> int:
    return max(1, int(share * max(o, i)))


def _train_ranks(o: int, i: int, share: float) -> tuple[int, int]:
    d1, d2, d3 = near_cube(o, i)
    return max(1, round(share * min(d1, d2))), max(1, round(share * min(d2, d3)))


def _tucker_ranks(o: int, i: int, share: float) -> tuple[int, ...]:
    dims = near_cube(o, i)
    return tuple(min(max(1, round(share * d)), o * i // d) for d in dims)


def _cp_rank(o: int, i: int, share: float) -> int:
    return max(1, int(share * o * i / sum(near_cube(o, i))))


def _riffled(whole: Tensor) -> Tensor:
    """Return the rows in the order of a riffle shuffle: first half and second half in turn."""
    half = (len(whole) + 1) // 2
    order = torch.arange(half, device=whole.device).repeat_interleave(2)[: len(whole)]
    order[1::2] += half
    return whole[order]
