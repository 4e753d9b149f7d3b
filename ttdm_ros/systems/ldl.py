"""Small symmetric positive definite systems, written out in CasADi symbols: M = L diag(d) Lᵀ, no pivoting needed."""

from collections.abc import Iterable

import casadi as ca


def factorise(matrix: ca.SX) -> tuple[ca.SX, ca.SX]:
    """Return the unit lower triangular L (n, n) and d (n, 1) of a symmetric positive definite matrix (n, n)."""
    n = matrix.shape[0]
    lower, diagonal = ca.SX.eye(n), ca.SX.zeros(n)
    for j in range(n):
        scaled = [lower[j, k] * diagonal[k] for k in range(j)]
        diagonal[j] = matrix[j, j] - _sum(lower[j, k] * scaled[k] for k in range(j))
        for i in range(j + 1, n):
            lower[i, j] = (matrix[i, j] - _sum(lower[i, k] * scaled[k] for k in range(j))) / diagonal[j]
    return lower, diagonal


def solve(lower: ca.SX, diagonal: ca.SX, right: ca.SX) -> ca.SX:
    """Return x (n, 1) of L diag(d) Lᵀ x = ``right`` (n, 1)."""
    n = diagonal.shape[0]
    x = ca.SX(right)
    for i in range(n):
        x[i] -= _sum(lower[i, k] * x[k] for k in range(i))
    for i in reversed(range(n)):
        x[i] = x[i] / diagonal[i] - _sum(lower[k, i] * x[k] for k in range(i + 1, n))
    return x


def invert(lower: ca.SX, diagonal: ca.SX) -> ca.SX:
    """Return the symmetric inverse (n, n) of L diag(d) Lᵀ."""
    n = diagonal.shape[0]
    inverse_lower = ca.SX.eye(n)
    for j in range(n):
        for i in range(j + 1, n):
            inverse_lower[i, j] = -_sum(lower[i, k] * inverse_lower[k, j] for k in range(j, i))
    scaled = ca.diag(1.0 / diagonal) @ inverse_lower
    inverse = ca.SX.zeros(n, n)
    for i in range(n):
        for j in range(i + 1):
            inverse[i, j] = inverse[j, i] = _sum(inverse_lower[k, i] * scaled[k, j] for k in range(i, n))
    return inverse


def _sum(terms: Iterable[ca.SX]) -> ca.SX:
    return sum(terms, start=ca.SX(0.0))
