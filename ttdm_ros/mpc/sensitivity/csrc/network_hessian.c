#include <math.h>
#include <stddef.h>

#include "kkt.h"

#ifndef TTDM_STRUCTURE_NOMINAL
#include "network_sizes.h" // generated: LAYERS affine layers, SIZES[LAYERS + 1], WIDEST

// With a_l the pre-activations of hidden layer l, h_l = tanh(a_l), g_l = ∂(lamᵀ r)/∂h_l and J_l = ∂a_l/∂z:
// the Hessian is Σ_l J_lᵀ diag(g_l h_l'') J_l, h'' = -2 h (1 - h²).
void ttdm_network_hessian(const double *weights, const double *z, const double *lam, double *hessian)
{
    double h[LAYERS][WIDEST], jacobian[LAYERS][WIDEST * NZ], g[WIDEST], before[WIDEST];
    const double *layer[LAYERS];
    const double *w = weights, *input = z;
    for (int l = 0; l < LAYERS; l++) {
        const int in = SIZES[l], out = SIZES[l + 1];
        layer[l] = w;
        if (l < LAYERS - 1) {
            const double *bias = w + in * out;
            for (int i = 0; i < out; i++) {
                double sum = bias[i];
                for (int j = 0; j < in; j++) sum += w[i * in + j] * input[j];
                h[l][i] = tanh(sum);
                double *row = jacobian[l] + i * NZ;
                if (l == 0) {
                    for (int j = 0; j < NZ; j++) row[j] = w[i * in + j];
                    continue;
                }
                for (int j = 0; j < NZ; j++) row[j] = 0.0;
                for (int k = 0; k < in; k++) {
                    const double factor = w[i * in + k] * (1.0 - h[l - 1][k] * h[l - 1][k]);
                    const double *earlier = jacobian[l - 1] + k * NZ;
                    for (int j = 0; j < NZ; j++) row[j] += factor * earlier[j];
                }
            }
            input = h[l];
        }
        w += (in + 1) * out;
    }
    for (int j = 0; j < SIZES[LAYERS - 1]; j++) {
        double sum = 0.0;
        for (int i = 0; i < NJ; i++) sum += lam[i] * layer[LAYERS - 1][i * SIZES[LAYERS - 1] + j];
        g[j] = sum;
    }
    for (int l = LAYERS - 2; l >= 0; l--) {
        const int in = SIZES[l], out = SIZES[l + 1];
        for (int j = 0; j < in; j++) before[j] = 0.0;
        for (int i = 0; i < out; i++) {
            const double slope = 1.0 - h[l][i] * h[l][i], bend = -2.0 * h[l][i] * slope * g[i];
            const double *row = jacobian[l] + i * NZ;
            for (int r = 0; r < NZ; r++) {
                const double factor = bend * row[r];
                for (int c = 0; c < NZ; c++) hessian[r * NZ + c] += factor * row[c];
            }
            const double back = g[i] * slope;
            for (int j = 0; j < in; j++) before[j] += back * layer[l][i * in + j];
        }
        if (l > 0)
            for (int j = 0; j < in; j++) g[j] = before[j];
    }
}
#else
void ttdm_network_hessian(const double *weights, const double *z, const double *lam, double *hessian)
{
    (void)weights, (void)z, (void)lam, (void)hessian;
}
#endif
