"""The gradient of a two-level problem by the implicit function theorem."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

CG_ITERATIONS = 30
CG_TOLERANCE = 1e-2  # of the residual, relative to the right-hand side


def implicit_gradient(
    inner: Tensor,
    outer: Tensor,
    parameters: Sequence[Tensor],
    choice: Tensor,
    *,
    damping: float,
    iterations: int = CG_ITERATIONS,
    tolerance: float = CG_TOLERANCE,
) -> Tensor:
    """Return dL/dφ at a minimiser θ(φ) of ℓ(θ, φ) + ½ λ ‖θ - θ_0‖².

    dL/dφ = -(∂²ℓ/∂φ∂θ)ᵀ (∂²ℓ/∂θ² + λ I)⁻¹ ∂L/∂θ, with the exact Hessian of ℓ: what Gauss-Newton's leaves out, errors
    times the curvature of the model, is not small where a model is too small for its data, which is where φ matters.

    Args:
        inner: ℓ(θ, φ), with its graph; used up.
        outer: L(θ), with its graph, which may share that of ``inner``; used up.
        parameters: θ.
        choice: φ, of any shape.
        damping: λ; without it directions that no sample sees would make the system singular.
        iterations: of conjugate gradients, at most.
        tolerance: of their residual, relative to ∂L/∂θ.

    Returns:
        Of the shape of φ, without a graph.
    """
    wanted = _flat(torch.autograd.grad(outer, parameters, retain_graph=True))
    slope = _flat(torch.autograd.grad(inner, parameters, create_graph=True))

    def product(vector: Tensor) -> Tensor:
        return _flat(torch.autograd.grad(slope, parameters, vector, retain_graph=True)) + damping * vector

    solution = conjugate_gradients(product, wanted, iterations=iterations, tolerance=tolerance)
    return -torch.autograd.grad(slope, choice, solution)[0]


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Tensor, *, iterations: int, tolerance: float
) -> Tensor:
    """Solve A x = b for a symmetric A that is known by its products.

    Ends at the first direction along which A is not positive: short of a minimum the Hessian of a network need not be,
    and what was found so far is a descent direction of the quadratic form. In the first iteration that is b itself.

    Args:
        product: returns A v.
        right: b (n,).
        iterations: at most.
        tolerance: of the residual, relative to b.

    Returns:
        x (n,).
    """
    solution, residual = torch.zeros_like(right), right.clone()
    direction, square = residual.clone(), residual @ residual
    end = tolerance**2 * square
    for iteration in range(iterations):
        if not square > end:
            break
        image = product(direction)
        curvature = direction @ image
        if not curvature > 0.0:
            return solution if iteration else right
        step = square / curvature
        solution = solution + step * direction
        residual = residual - step * image
        before, square = square, residual @ residual
        direction = residual + square / before * direction
    return solution


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([each.reshape(-1) for each in tensors])
