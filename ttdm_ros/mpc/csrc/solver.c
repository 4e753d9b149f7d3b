// One call a control period: shift the plan, set state and references, solve, read the plan and its feedback gain.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acados_c/ocp_nlp_interface.h"
#include "acados_version.h" // generated: the solver, and what differs between versions of acados
#include "blasfeo_d_aux.h"
#include "blasfeo_d_aux_ext_dep.h"
#include "blasfeo_d_blas.h"
#include "callbacks.h"

#define get_iterate(s, stage, field, value) ocp_nlp_out_get((s)->config, (s)->dims, (s)->out, stage, field, value)

#define AT_BOUND 1e-3 // an interior-point method ends this near to a bound [N·m]

struct ttdm_solver {
    struct ttdm_model model;
    ttdm_solver_capsule *capsule;
    ocp_nlp_config *config;
    ocp_nlp_dims *dims;
    ocp_nlp_in *in;
    ocp_nlp_out *out;
    ocp_nlp_solver *nlp;
    double parameters[TTDM_N + 1][NP];
    double x[TTDM_N + 1][NX], u[TTDM_N][NU];
    double u_lower[NU], u_upper[NU];
    struct blasfeo_dmat factor, gradient, product; // of the Riccati recursion
};

struct ttdm_times {
    double total, solver, gain; // [s]
    double iterations;          // of the interior-point method
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct ttdm_solver *ttdm_create(void)
{
    struct ttdm_solver *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->capsule = ttdm_acados_create_capsule();
    if (ttdm_acados_create(s->capsule) != 0) {
        ttdm_acados_free_capsule(s->capsule);
        free(s);
        return NULL;
    }
    s->config = ttdm_acados_get_nlp_config(s->capsule);
    s->dims = ttdm_acados_get_nlp_dims(s->capsule);
    s->in = ttdm_acados_get_nlp_in(s->capsule);
    s->out = ttdm_acados_get_nlp_out(s->capsule);
    s->nlp = ttdm_acados_get_nlp_solver(s->capsule);
    const struct ttdm_model *model = &s->model;
    for (int k = 0; k <= TTDM_N; k++) {
        memcpy(&s->parameters[k][P_MODEL], &model, sizeof model);
        ttdm_acados_update_params(s->capsule, k, s->parameters[k], NP);
    }
    blasfeo_allocate_dmat(NZ, NZ, &s->factor);
    blasfeo_allocate_dmat(NZ, NX, &s->gradient);
    blasfeo_allocate_dmat(NZ, NX, &s->product);
    return s;
}

void ttdm_free(struct ttdm_solver *s)
{
    blasfeo_free_dmat(&s->factor);
    blasfeo_free_dmat(&s->gradient);
    blasfeo_free_dmat(&s->product);
    ttdm_acados_free(s->capsule);
    ttdm_acados_free_capsule(s->capsule);
    free(s);
}

// Exchange the network; `weights` must stay valid until they are exchanged again.
void ttdm_set_weights(struct ttdm_solver *s, const double *weights) { s->model.weights = weights; }

void ttdm_set_grid(struct ttdm_solver *s, double dt) { s->model.dt = dt; }

// Weights of the NY entries of a stage's residual, of stages 0 to N - 1, and of the last stage (its tau has none).
void ttdm_set_cost(struct ttdm_solver *s, const double *stage, const double *terminal)
{
    for (int k = 0; k <= TTDM_N; k++) {
        memcpy(&s->parameters[k][P_WEIGHT], k < TTDM_N ? stage : terminal, NY * sizeof(double));
        ttdm_acados_update_params(s->capsule, k, s->parameters[k], NP);
    }
}

// Hard bounds on tau; soft bounds on (q, v) with the penalty quadratic/2 violation², each (NX).
void ttdm_set_bounds(struct ttdm_solver *s, double *x_lower, double *x_upper, double *u_lower, double *u_upper,
                     double *quadratic)
{
    double linear[NX] = {0.0};
    memcpy(s->u_lower, u_lower, sizeof s->u_lower);
    memcpy(s->u_upper, u_upper, sizeof s->u_upper);
    for (int k = 0; k < TTDM_N; k++) {
        set_bound(s, k, "lbu", u_lower);
        set_bound(s, k, "ubu", u_upper);
    }
    for (int k = 1; k <= TTDM_N; k++) {
        set_bound(s, k, "lbx", x_lower);
        set_bound(s, k, "ubx", x_upper);
        ocp_nlp_cost_model_set(s->config, s->dims, s->in, k, "zl", linear);
        ocp_nlp_cost_model_set(s->config, s->dims, s->in, k, "zu", linear);
        ocp_nlp_cost_model_set(s->config, s->dims, s->in, k, "Zl", quadratic);
        ocp_nlp_cost_model_set(s->config, s->dims, s->in, k, "Zu", quadratic);
    }
}

// Start from a trajectory, x (N + 1, NX) and u (N, NU), with all multipliers and the QP solver's memory forgotten.
void ttdm_initialise(struct ttdm_solver *s, const double *x, const double *u)
{
    reset(s->capsule);
    for (int k = 0; k <= TTDM_N; k++) ttdm_acados_update_params(s->capsule, k, s->parameters[k], NP);
    memcpy(s->x, x, sizeof s->x);
    memcpy(s->u, u, sizeof s->u);
    for (int k = 0; k <= TTDM_N; k++) {
        set_iterate(s, k, "x", s->x[k]);
        if (k < TTDM_N) set_iterate(s, k, "u", s->u[k]);
    }
}

// Move the plan on by `share` of a grid step: linear between its points, a model step beyond its end.
static void shift(struct ttdm_solver *s, double share)
{
    double z[NZ], beyond[NX];
    memcpy(z, s->x[TTDM_N], NX * sizeof(double));
    memcpy(z + NX, s->u[TTDM_N - 1], NU * sizeof(double));
    ttdm_step(&s->model, z, s->model.dt, beyond);
    for (; share > 1.0; share -= 1.0) {
        memmove(s->x[0], s->x[1], TTDM_N * sizeof s->x[0]);
        memmove(s->u[0], s->u[1], (TTDM_N - 1) * sizeof s->u[0]);
        memcpy(s->x[TTDM_N], beyond, sizeof beyond);
        memcpy(z, beyond, sizeof beyond);
        ttdm_step(&s->model, z, s->model.dt, beyond);
    }
    for (int k = 0; k <= TTDM_N; k++) {
        const double *after = k < TTDM_N ? s->x[k + 1] : beyond;
        for (int i = 0; i < NX; i++) s->x[k][i] += share * (after[i] - s->x[k][i]);
        set_iterate(s, k, "x", s->x[k]);
        if (k == TTDM_N) break;
        if (k + 1 < TTDM_N)
            for (int i = 0; i < NU; i++) s->u[k][i] += share * (s->u[k + 1][i] - s->u[k][i]);
        set_iterate(s, k, "u", s->u[k]);
    }
}

// Gain of the first input on the first state, by the Riccati recursion on the quadratic problem just solved. Inputs that
// are at a bound do not move; bounds of (q, v) are soft and count as if they were not there. Square-root form:
// [B A]ᵀ L Lᵀ [B A] + diag(R, Q) is factorised, and the lower right block of its Cholesky factor is the L of the stage
// before.
static void riccati(struct ttdm_solver *s, double *gain)
{
    double q[NX * NX], r[NU * NU], a[NX * NX], b[NX * NU];
    get_at_stage(s, TTDM_N, "Q", q);
    blasfeo_pack_dmat(NX, NX, q, NX, &s->factor, NU, NU);
    blasfeo_dpotrf_l(NX, &s->factor, NU, NU, &s->factor, NU, NU);
    for (int k = TTDM_N - 1; k >= 0; k--) {
        get_at_stage(s, k, "A", a);
        get_at_stage(s, k, "B", b);
        get_at_stage(s, k, "Q", q);
        get_at_stage(s, k, "R", r);
        blasfeo_pack_tran_dmat(NX, NU, b, NX, &s->gradient, 0, 0);
        blasfeo_pack_tran_dmat(NX, NX, a, NX, &s->gradient, NU, 0);
        for (int i = 0; i < NU; i++)
            if (s->u[k][i] <= s->u_lower[i] + AT_BOUND || s->u[k][i] >= s->u_upper[i] - AT_BOUND) r[i * NU + i] += 1e12;
        blasfeo_dtrmm_rlnn(NZ, NX, 1.0, &s->factor, NU, NU, &s->gradient, 0, 0, &s->product, 0, 0);
        blasfeo_dgese(NZ, NZ, 0.0, &s->factor, 0, 0);
        blasfeo_pack_dmat(NU, NU, r, NU, &s->factor, 0, 0);
        blasfeo_pack_dmat(NX, NX, q, NX, &s->factor, NU, NU);
        blasfeo_dsyrk_dpotrf_ln(NZ, NX, &s->product, 0, 0, &s->product, 0, 0, &s->factor, 0, 0, &s->factor, 0, 0);
    }
    // K = -(Ls Lr⁻¹)ᵀ with the factor's blocks Lr (NU x NU) and Ls (NX x NU).
    blasfeo_dtrsm_rlnn(NX, NU, -1.0, &s->factor, 0, 0, &s->factor, NU, 0, &s->product, 0, 0);
    blasfeo_unpack_dmat(NX, NU, &s->product, 0, 0, gain, NX); // column by column, transposed: gain is row-major (NU, NX)
}

// One real-time iteration.
//   x0: state when the plan begins (NX). references: NY numbers of stage k at references + k * stride.
//   share: how far to move the plan before it is the guess, in grid steps. x (N + 1, NX), u (N, NU), gain (NU, NX): results.
// Returns acados' status; the plan is valid if it is 0, and then everything is finite.
int ttdm_tick(struct ttdm_solver *s, double *x0, const double *references, long stride, double share, double *x,
              double *u, double *gain, struct ttdm_times *times)
{
    const double start = now();
    shift(s, share);
    set_bound(s, 0, "lbx", x0);
    set_bound(s, 0, "ubx", x0);
    for (int k = 0; k <= TTDM_N; k++) {
        memcpy(&s->parameters[k][P_REFERENCE], references + k * stride, NY * sizeof(double));
        ttdm_acados_update_params(s->capsule, k, s->parameters[k], NP);
    }
    const double before = now();
    int status = ttdm_acados_solve(s->capsule);
    times->solver = now() - before;
    double sum = 0.0;
    for (int k = 0; k <= TTDM_N; k++) {
        get_iterate(s, k, "x", s->x[k]);
        if (k < TTDM_N) get_iterate(s, k, "u", s->u[k]);
        for (int i = 0; i < NX; i++) sum += s->x[k][i];
    }
    for (int k = 0; k < TTDM_N; k++)
        for (int i = 0; i < NU; i++) sum += s->u[k][i];
    if (status == 0 && !isfinite(sum)) status = -1;
    const double solved = now();
    if (status == 0) riccati(s, gain);
    times->gain = now() - solved;
    memcpy(x, s->x, sizeof s->x);
    memcpy(u, s->u, sizeof s->u);
    double *table; // rows of (status, iterations, ...) of the quadratic problem; the first row is empty
    int columns;
    get_statistic(s, "stat", &table);
    get_statistic(s, "stat_n", &columns);
    times->iterations = table[columns + 1];
    times->total = now() - start;
    return status;
}

// Predict with the model over a duration in `steps` equal steps, for the delay between measurement and effect.
void ttdm_predict(struct ttdm_solver *s, const double *x, const double *u, double duration, int steps, double *following)
{
    double z[NZ];
    memcpy(z, x, NX * sizeof(double));
    memcpy(z + NX, u, NU * sizeof(double));
    for (int i = 0; i < steps; i++) {
        ttdm_step(&s->model, z, duration / steps, following);
        memcpy(z, following, NX * sizeof(double));
    }
    if (steps == 0) memcpy(following, x, NX * sizeof(double));
}

// Predict through `count` torques u (count, NU), each held for its duration, a step each.
void ttdm_predict_along(struct ttdm_solver *s, const double *x, const double *u, const double *durations, int count,
                        double *following)
{
    double z[NZ];
    memcpy(following, x, NX * sizeof(double));
    for (int i = 0; i < count; i++) {
        memcpy(z, following, NX * sizeof(double));
        memcpy(z + NX, u + i * NU, NU * sizeof(double));
        ttdm_step(&s->model, z, durations[i], following);
    }
}

// Acceleration and its Jacobian (NJ, NZ) as the solver sees them, for tests and diagnosis.
void ttdm_evaluate(struct ttdm_solver *s, const double *z, double *acceleration, double *jacobian)
{
    ttdm_acceleration(&s->model, z, acceleration, jacobian);
}
