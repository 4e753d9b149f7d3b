// What acados calls: the discrete dynamics and their Jacobian, on the vectors and matrices of BLASFEO.
#include <stdlib.h>
#include <string.h>

#include "acados/utils/external_function_generic.h"
#include "blasfeo_d_aux.h"
#include "callbacks.h"

static const struct ttdm_model *model_of(const void *parameters)
{
    const struct ttdm_model *model;
    memcpy(&model, (const double *)parameters + P_MODEL, sizeof model);
    return model;
}

static void unpack(void **in, double *z)
{
    struct blasfeo_dvec_args *x = in[0], *u = in[1];
    blasfeo_unpack_dvec(NX, x->x, x->xi, z, 1);
    blasfeo_unpack_dvec(NU, u->x, u->xi, z + NX, 1);
}

static void pack_following(void **out, double *following)
{
    struct blasfeo_dvec_args *f = out[0];
    blasfeo_pack_dvec(NX, following, 1, f->x, f->xi);
}

int ttdm_dynamics(void **in, void **out, void *parameters)
{
    const struct ttdm_model *model = model_of(parameters);
    double z[NZ], following[NX];
    unpack(in, z);
    ttdm_step(model, z, model->dt, following);
    pack_following(out, following);
    return 0;
}

int ttdm_dynamics_jacobian(void **in, void **out, void *parameters)
{
    const struct ttdm_model *model = model_of(parameters);
    const double dt = model->dt, half = 0.5 * dt * dt;
    double z[NZ], following[NX], acceleration[NJ], slope[NJ * NZ];
    double transposed[NX * NZ]; // of the Jacobian by (u, x), column by column: one column a state
    unpack(in, z);
    ttdm_acceleration(model, z, acceleration, slope);
    ttdm_integrate(z, acceleration, dt, following);
    for (int i = 0; i < NJ; i++) {
        double *q = transposed + i * NZ, *v = transposed + (NJ + i) * NZ;
        const double *row = slope + i * NZ;
        for (int j = 0; j < NU; j++) q[j] = half * row[NX + j], v[j] = dt * row[NX + j];
        for (int j = 0; j < NX; j++) q[NU + j] = half * row[j], v[NU + j] = dt * row[j];
        q[NU + i] += 1.0;
        q[NU + NJ + i] += dt;
        v[NU + NJ + i] += 1.0;
    }
    pack_following(out, following);
    struct blasfeo_dmat_args *jacobian = out[1];
    blasfeo_pack_dmat(NZ, NX, transposed, NZ, jacobian->A, jacobian->ai, jacobian->aj);
    return 0;
}

int ttdm_dynamics_hessian(void **in, void **out, void *parameters)
{
    (void)in, (void)out, (void)parameters;
    abort(); // the problem is set up with the Gauss-Newton Hessian, which never asks for this
}
