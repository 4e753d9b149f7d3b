// Exact solution of the optimal control problem, and its derivatives by the implicit function theorem.
//
// The problem is the one acados solves: cost and dynamics of the stages, hard bounds on u, quadratic penalties on leaving
// the bounds of x. Around an iterate it is a linear-quadratic problem with the exact Hessian of the Lagrangian; inputs
// that are at a bound do not move. Its Riccati recursion gives the Newton step and, at the solution, everything else.
#ifndef TTDM_KKT_H
#define TTDM_KKT_H

#include "model.h"

#define N TTDM_N
#define NY 33 // entries of a reference row: tip position 3, rotation by columns 9, q 7, v 7, tau 7

struct ttdm_kkt {
    struct ttdm_model model;
    double stage_weight[NY], terminal_weight[NY];
    double x_lower[NX], x_upper[NX], u_lower[NU], u_upper[NU], penalty[NX];

    double x[N + 1][NX], u[N][NU], lambda[N + 1][NX]; // iterate; lambda[k] is the gradient of the cost-to-go at x[k]
    int active[N][NU];                                // -1 at the lower bound, 1 at the upper, 0 free
    int shifted[N][NU];                               // whether `active` changed in the last step
    int violated;                                     // state bounds that are violated

    double a[N][NX * NX], b[N][NX * NU];     // Jacobians of the dynamics, row-major
    double defect[N][NX];                    // f(x_k, u_k) + d_k - x_{k+1}
    double hessian[N + 1][NZ * NZ];          // of the Lagrangian by (x, u), row-major
    double gradient[N + 1][NZ];              // of the cost by (x, u)
    double p[N + 1][NX * NX], offset[N + 1][NX]; // cost-to-go: xᵀ p x / 2 + offsetᵀ x
    double gain[N][NU * NX], feed[N][NU];
    double reduced[NU * NU];                 // Hessian of the optimal cost by u_0; identity rows where an input is active
    double factor[NU * NU];                  // its Cholesky factor
};

// Exact Hessian of lamᵀ r_w by z = (q, v, tau) (NZ x NZ, row-major), added to `hessian`.
void ttdm_network_hessian(const double *weights, const double *z, const double *lam, double *hessian);

#endif
