// The prediction model: nominal arm and network, discretised; shared by acados' callbacks and the tick.
#ifndef TTDM_MODEL_H
#define TTDM_MODEL_H

#include "sizes.h" // generated: TTDM_N (stages), TTDM_STRUCTURE_*, TTDM_WEIGHTS

#define NJ 7        // joints
#define NX (2 * NJ) // state (q, v)
#define NU NJ       // input tau
#define NZ (NX + NU)

// A stage's parameters in acados: reference row, weights of its entries, and where the model's data lie.
#define NY 33 // tip position 3, rotation by columns 9, q 7, v 7, tau 7
#define P_REFERENCE 0
#define P_WEIGHT NY
#define P_MODEL (2 * NY) // the bits of a pointer to struct ttdm_model
#define NP (2 * NY + 1)

// What the dynamics of one solver depends on at run time. Solvers do not share it, so they may hold different models.
struct ttdm_model {
    const double *weights; // packed network, see PredictionModel.packed in Python; exchanged between solves
    double dt;             // grid step [s]
};

// Acceleration [rad/s²] (NJ) at z = (q, v, tau) (NZ), and, unless jacobian is NULL, its Jacobian (NJ x NZ, row-major).
void ttdm_acceleration(const struct ttdm_model *model, const double *z, double *acceleration, double *jacobian);

// Semi-implicit Euler from (q, v) by dt: v+ = v + dt a, q+ = q + dt (v + v+)/2.
void ttdm_step(const struct ttdm_model *model, const double *z, double dt, double *following);

// Called by acados, as named in the optimal control problem.
int ttdm_dynamics(void **in, void **out, void *parameters);
int ttdm_dynamics_jacobian(void **in, void **out, void *parameters);
int ttdm_dynamics_hessian(void **in, void **out, void *parameters);

#endif
