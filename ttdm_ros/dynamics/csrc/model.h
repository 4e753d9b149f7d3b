// The prediction model: nominal arm and network, discretised.
#ifndef TTDM_MODEL_H
#define TTDM_MODEL_H

#include "sizes.h" // generated: TTDM_STRUCTURE_*, TTDM_CASADI_WORK and what else the sources around it need

#define NJ 7        // joints
#define NX (2 * NJ) // state (q, v)
#define NU NJ       // input tau
#define NZ (NX + NU)

// What the dynamics of one solver depends on at run time. Solvers do not share it, so they may hold different models.
struct ttdm_model {
    const double *weights; // packed network, see PredictionModel.packed in Python; exchanged between solves
    double dt;             // grid step [s]
};

// Acceleration [rad/s²] (NJ) at z = (q, v, tau) (NZ), and, unless jacobian is NULL, its Jacobian (NJ x NZ, row-major).
void ttdm_acceleration(const struct ttdm_model *model, const double *z, double *acceleration, double *jacobian);

// The state after dt at constant acceleration, as semi-implicit Euler has it: v+ = v + dt a, q+ = q + dt (v + v+)/2.
void ttdm_integrate(const double *z, const double *acceleration, double dt, double *following);

// The same with the model's acceleration.
void ttdm_step(const struct ttdm_model *model, const double *z, double dt, double *following);

#endif
