#include <string.h>

#include "model.h"

// Accelerations (count, NJ) and Jacobians (count, NJ, NZ) of many z (count, NZ), all row-major; jacobian may be NULL.
void ttdm_batch(const double *weights, long count, const double *z, double *acceleration, double *jacobian)
{
    const struct ttdm_model model = {weights, 0.0};
    for (long i = 0; i < count; i++)
        ttdm_acceleration(&model, z + i * NZ, acceleration + i * NJ, jacobian == NULL ? NULL : jacobian + i * NJ * NZ);
}
