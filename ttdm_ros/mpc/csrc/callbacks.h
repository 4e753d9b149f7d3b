// What a stage of the problem knows in acados, and the functions that acados calls.
#ifndef TTDM_CALLBACKS_H
#define TTDM_CALLBACKS_H

#include "model.h"

// A stage's parameters in acados: reference row, weights of its entries, and where the model's data lie.
#define NY 33 // tip position 3, rotation by columns 9, q 7, v 7, tau 7
#define P_REFERENCE 0
#define P_WEIGHT NY
#define P_MODEL (2 * NY) // the bits of a pointer to struct ttdm_model
#define NP (2 * NY + 1)

// Called by acados, as named in the optimal control problem.
int ttdm_dynamics(void **in, void **out, void *parameters);
int ttdm_dynamics_jacobian(void **in, void **out, void *parameters);
int ttdm_dynamics_hessian(void **in, void **out, void *parameters);

#endif
