"""The paper's equations, slow and plain, in its letters.

W ≈ U Vᵀ, U m×r, V n×r. A convolution's kernel K is o×i×k×l, out and in channels, height and width.
Source: https://arxiv.org/abs/2105.01029.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d


def spectral_init(
    W: Float[Tensor, "m n"], r: int
) -> tuple[Float[Tensor, "m r"], Float[Tensor, "n r"]]:
    """Return U = A_r √S_r and V = B_r √S_r of W = A S Bᵀ, one singular direction after the other."""
    A, S, Bt = torch.linalg.svd(W)
    U = torch.stack([A[:, j] * S[j].sqrt() for j in range(r)], 1)
    V = torch.stack([Bt[j] * S[j].sqrt() for j in range(r)], 1)
    return U, V


def linear(
    x: Float[Tensor, "t n"], U: Float[Tensor, "m r"], V: Float[Tensor, "n r"]
) -> Float[Tensor, "t m"]:
    """Return U Vᵀ x for every row x, with U Vᵀ written out."""
    W = U @ V.T
    return torch.stack([W @ row for row in x])


def rows_and_columns(
    K: Float[Tensor, "o i k l"], U: Float[Tensor, "ok r"], V: Float[Tensor, "il r"]
) -> Float[Tensor, "o i k l"]:
    """Return K[o, i, a, b] = Σ_r U[(o, a), r] V[(i, b), r]: a column of U for heights, of V for widths.

    Only the shape of the first argument is used.
    """
    O, I, H, L = K.shape
    entries = [
        U[o * H + a] @ V[i * L + b]
        for o in range(O)
        for i in range(I)
        for a in range(H)
        for b in range(L)
    ]
    return torch.stack(entries).reshape(O, I, H, L)


def channels(
    K: Float[Tensor, "o i k l"], U: Float[Tensor, "o r"], V: Float[Tensor, "ikl r"]
) -> Float[Tensor, "o i k l"]:
    """Return K[o, i, a, b] = Σ_r U[o, r] V[(i, a, b), r]. Only the shape of the first argument is used."""
    O, I, H, L = K.shape
    entries = [
        U[o] @ V[(i * H + a) * L + b]
        for o in range(O)
        for i in range(I)
        for a in range(H)
        for b in range(L)
    ]
    return torch.stack(entries).reshape(O, I, H, L)


def convolution(
    x: Float[Tensor, "b i h w"],
    K: Float[Tensor, "o i k l"],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> Float[Tensor, "b o p q"]:
    """Return one convolution with the whole kernel."""
    return conv2d(x, K, None, stride, padding, dilation)


def frobenius_decay(U: Float[Tensor, "m r"], V: Float[Tensor, "n r"]) -> Float[Tensor, ""]:
    """Return ½ ‖U Vᵀ‖²_F with the product formed."""
    return (U @ V.T).square().sum() / 2


def weight_decay(U: Float[Tensor, "m r"], V: Float[Tensor, "n r"]) -> Float[Tensor, ""]:
    """Return ½ (‖U‖²_F + ‖V‖²_F), which is never below the nuclear norm of U Vᵀ."""
    return (U.square().sum() + V.square().sum()) / 2


def nuclear_norm(U: Float[Tensor, "m r"], V: Float[Tensor, "n r"]) -> Float[Tensor, ""]:
    """Return ‖U Vᵀ‖_*, the sum of its singular values."""
    return torch.linalg.svdvals(U @ V.T).sum()


def three_factors(
    U: Float[Tensor, "m r"], M: Float[Tensor, "r r"], V: Float[Tensor, "n r"]
) -> Float[Tensor, "m n"]:
    """Return W[a, b] = Σ_pq U[a, p] M[p, q] V[b, q], entry by entry."""
    m, n, r = len(U), len(V), len(M)
    entries = [
        torch.stack([U[a, p] * M[p, q] * V[b, q] for p in range(r) for q in range(r)]).sum()
        for a in range(m)
        for b in range(n)
    ]
    return torch.stack(entries).reshape(m, n)


def bilinear_forms(
    Q: Float[Tensor, "h r d"],
    K: Float[Tensor, "h r d"],
    V: Float[Tensor, "h r d"],
    O: Float[Tensor, "d hr"],
) -> tuple[Float[Tensor, "h d d"], Float[Tensor, "h d d"]]:
    """Return Q_hᵀ K_h and O_h V_h of every head, where O_h are the columns of O that read head h."""
    r = Q.shape[1]
    scores = [q.T @ k for q, k in zip(Q, K, strict=True)]
    values = [O[:, h * r : (h + 1) * r] @ v for h, v in enumerate(V)]
    return torch.stack(scores), torch.stack(values)


def attention(
    x: Float[Tensor, "t d"],
    QK: Float[Tensor, "h d d"],
    OV: Float[Tensor, "h d d"],
    scale: float,
) -> Float[Tensor, "t d"]:
    """Return Σ_h softmax(scale · x QK_h xᵀ) x OV_hᵀ, without biases: attention in its forms alone."""
    heads = [(x @ a @ x.T * scale).softmax(-1) @ x @ b.T for a, b in zip(QK, OV, strict=True)]
    return torch.stack(heads).sum(0)


def output_error(
    W: Float[Tensor, "m n"],
    U: Float[Tensor, "m r"],
    V: Float[Tensor, "n r"],
    X: Float[Tensor, "t n"],
) -> Float[Tensor, ""]:
    """Return the mean of ‖(W − U Vᵀ) x‖² over the rows of X, one after the other."""
    return torch.stack([((W - U @ V.T) @ x).square().sum() for x in X]).mean()


def tensor_train(
    A: Float[Tensor, "d1 r1"], B: Float[Tensor, "r1 d2 r2"], C: Float[Tensor, "r2 d3"]
) -> Float[Tensor, "d1 d2 d3"]:
    """Return T[a, b, c] = A[a] B[:, b, :] C[:, c], entry by entry."""
    entries = [
        A[a] @ B[:, b] @ C[:, c]
        for a in range(len(A))
        for b in range(B.shape[1])
        for c in range(C.shape[1])
    ]
    return torch.stack(entries).reshape(len(A), B.shape[1], C.shape[1])


def tucker(
    G: Float[Tensor, "r1 r2 r3"],
    A: Float[Tensor, "d1 r1"],
    B: Float[Tensor, "d2 r2"],
    C: Float[Tensor, "d3 r3"],
) -> Float[Tensor, "d1 d2 d3"]:
    """Return T[a, b, c] = Σ_pqr G[p, q, r] A[a, p] B[b, q] C[c, r]; with a diagonal G it is CP."""
    entries = [
        (G * A[a][:, None, None] * B[b][:, None] * C[c]).sum()
        for a in range(len(A))
        for b in range(len(B))
        for c in range(len(C))
    ]
    return torch.stack(entries).reshape(len(A), len(B), len(C))


def acdc(
    A: Float[Tensor, "n s"], D: Float[Tensor, "n s"], x: Float[Tensor, "s"]
) -> Float[Tensor, "s"]:
    """Return x after n layers of scaling, cosine transform, scaling, transform back and a riffle shuffle."""
    s = len(x)
    for a, d in zip(A, D, strict=True):
        y = [
            (2 / s) ** 0.5
            * (0.5**0.5 if k == 0 else 1)
            * sum(
                float(a[j] * x[j]) * torch.tensor(torch.pi / s * (j + 0.5) * k).cos()
                for j in range(s)
            )
            for k in range(s)
        ]
        z = [
            sum(
                (2 / s) ** 0.5
                * (0.5**0.5 if k == 0 else 1)
                * float(d[k] * y[k])
                * torch.tensor(torch.pi / s * (j + 0.5) * k).cos()
                for k in range(s)
            )
            for j in range(s)
        ]
        half = (s + 1) // 2
        x = torch.stack([z[j // 2 + (j % 2) * half] for j in range(s)])
    return x


def separable(P: Float[Tensor, "o i"], D: Float[Tensor, "i k l"]) -> Float[Tensor, "o i k l"]:
    """Return K[o, i, a, b] = P[o, i] D[i, a, b]: a depthwise convolution, then one between channels."""
    return torch.stack([torch.stack([p * d for p, d in zip(row, D, strict=True)]) for row in P])


def distillation(
    student: Float[Tensor, "b k"], teacher: Float[Tensor, "b k"], T: float
) -> Float[Tensor, ""]:
    """Return T² times the mean Kullback-Leibler divergence of softened answers, example by example."""
    total = torch.zeros(())
    for s, t in zip(student, teacher, strict=True):
        p, q = (t / T).softmax(0), (s / T).softmax(0)
        total = total + (p * (p.log() - q.log())).sum()
    return T**2 * total / len(student)


def attention_transfer(
    student: Float[Tensor, "b c h w"], teacher: Float[Tensor, "b d h w"]
) -> Float[Tensor, ""]:
    """Return the mean squared distance of attention maps: mean squares over channels, of length 1 an example."""
    total = []
    for s, t in zip(student, teacher, strict=True):
        q_s, q_t = s.square().mean(0).flatten(), t.square().mean(0).flatten()
        total.append((q_s / q_s.norm() - q_t / q_t.norm()).square().mean())
    return torch.stack(total).mean()
