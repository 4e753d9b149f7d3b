/* The law that runs a thousand times a second: tau = u_ff + K (x_ref - x), guarded.
 *
 * It is called by a loop that is not ours (aiofranka's, or a thread that steps panda-python), with the robot's state,
 * a block of parameters that the driver replaces as a whole, and memory that only this file writes. What guards the arm
 * is in here, and not in Python, so that it acts also while Python is held up: commands that stop coming, numbers that
 * are none, torque and torque-rate limits, and the rule that a motion begins near zero torque. An operator's stop is a
 * level (HELD), not a command: no command that takes the place of another one can take it away.
 *
 * Where things lie is in law.py under the same names. Offsets into the caller's structures (STATE_TIME, STATE_Q, STATE_V,
 * STATE_TORQUE, PARAMS_CUSTOM) come from the compiler's command line.
 */
#include <math.h>
#include <string.h>

#define J 7

/* Block of parameters: what is commanded, then settings. */
enum {
  SEQUENCE = 0, HELD = 1, BEGIN = 2, COUNT = 3, STEP = 4, GAIN = 5, POINTS = GAIN + 2 * J * J,
  SETTINGS = 512, TIMEOUT = SETTINGS, PAUSE, FIRST, DECELERATION, STIFFNESS = DECELERATION + J,
  DAMPING = STIFFNESS + J, EFFORT = DAMPING + J, EFFORT_RATE = EFFORT + J
};
enum { MOST_POINTS = 16, POINT = 3 * J };
#define ROBOT_RATE 1000.0 /* of torque, beyond which the robot stops [N·m/s] */
enum { STARTING = 0, HOLDING = 1, FOLLOWING = 2, BRAKING = 3 };  /* phases */
enum { NONE = 0, SILENCE = 1, ASKED = 2, NOT_FINITE = 3 };   /* causes of a stop */

typedef struct {
  double phase, sequence, age, locked, refused, cause, time, held, q_ref[J], v_ref[J], sent[J];
} Memory;

static int finite_all(const double *x, int n) {
  for (int i = 0; i < n; ++i)
    if (!isfinite(x[i])) return 0;
  return 1;
}

static double clip(double x, double lower, double upper) { return x < lower ? lower : x > upper ? upper : x; }

/* Torque that the command asks for at a state; returns 0 if it is not finite. Within a step acceleration is constant
 * and the torque is held, as in the plan that the controller made. */
static int commanded(const double *p, double time, const double *q, const double *v, double *tau) {
  const int n = (int)clip(p[COUNT], 1.0, MOST_POINTS);
  const double *gain = p + GAIN, *at = p + POINTS, *next = at;
  double share = 0.0, step = p[STEP];
  if (n > 1 && step > 0.0) {
    const double since = (time - p[BEGIN]) / step;
    const int k = (int)clip(since, 0.0, n - 2);
    share = clip(since - k, 0.0, 1.0);
    at += k * POINT;
    next = at + POINT;
  }
  double error[2 * J];
  for (int i = 0; i < J; ++i) {
    const double begin = at[2 * J + i], change = next[2 * J + i] - begin;
    error[i] = at[J + i] + share * step * (begin + 0.5 * share * change) - q[i];
    error[J + i] = begin + share * change - v[i];
  }
  for (int i = 0; i < J; ++i) {
    double sum = at[i];
    for (int j = 0; j < 2 * J; ++j)
      if (gain[i * 2 * J + j] != 0.0) sum += gain[i * 2 * J + j] * error[j];
    tau[i] = sum;
  }
  return finite_all(tau, J);
}

static void brake(Memory *m, double cause, const double *q, const double *v) {
  m->phase = BRAKING;
  m->cause = cause;
  m->locked = 1.0;
  memcpy(m->q_ref, q, sizeof m->q_ref);
  memcpy(m->v_ref, v, sizeof m->v_ref);
}

/* A reference that is slowed down to rest, with a spring and a damper on it; at rest it is the holding torque. */
static void hold(const double *p, Memory *m, double dt, const double *q, const double *v, double *tau) {
  int rests = 1;
  for (int i = 0; i < J; ++i) {
    const double most = p[DECELERATION + i] * dt, before = m->v_ref[i];
    m->v_ref[i] = before > most ? before - most : before < -most ? before + most : 0.0;
    m->q_ref[i] += 0.5 * dt * (before + m->v_ref[i]);
    rests = rests && m->v_ref[i] == 0.0;
    tau[i] = p[STIFFNESS + i] * (m->q_ref[i] - q[i]) + p[DAMPING + i] * (m->v_ref[i] - v[i]);
  }
  if (rests) m->phase = HOLDING;
}

/* Called once a cycle. Returns 0, or 1 if the robot's own state is not finite: the motion must end. */
int ttdm_franka_law(const char *state, const char *params, Memory *m, double *tau) {
  const double *q = (const double *)(state + STATE_Q), *v = (const double *)(state + STATE_V);
  const double *last = (const double *)(state + STATE_TORQUE), *p = (const double *)(params + PARAMS_CUSTOM);
  const double time = *(const double *)(state + STATE_TIME);
  if (!finite_all(q, J) || !finite_all(v, J) || !finite_all(last, J) || !isfinite(time)) return 1;

  if (m->phase == STARTING) {
    m->time = time - 1e-3;
    m->sequence = p[SEQUENCE]; /* what was commanded before the motion began is no command to it */
    m->locked = 1.0; /* whoever commands already has to pause first */
    memcpy(m->q_ref, q, sizeof m->q_ref);
    memcpy(m->sent, last, sizeof m->sent);
    m->phase = HOLDING;
  }
  const double dt = clip(time - m->time, 0.0, 0.02);
  m->time = time;
  const int fresh = p[SEQUENCE] != m->sequence;
  m->sequence = p[SEQUENCE];
  if (m->age >= p[PAUSE]) m->locked = 0.0; /* whoever commanded before has stopped */
  m->age = fresh ? 0.0 : m->age + dt;
  if (p[HELD] != 0.0) {
    if (m->phase == FOLLOWING) brake(m, ASKED, q, v);
    m->cause = ASKED;
    m->locked = 1.0;
    m->age = 0.0; /* the pause begins with the release */
  } else if (m->held != 0.0) {
    m->cause = NONE;
  }
  m->held = p[HELD];

  double wanted[J] = {0};
  int is_finite = 1;
  if (m->phase == FOLLOWING || fresh) is_finite = commanded(p, time, q, v, wanted);

  if (m->phase == FOLLOWING) {
    if (!is_finite) brake(m, NOT_FINITE, q, v);
    else if (m->age > p[TIMEOUT]) brake(m, SILENCE, q, v);
  } else if (fresh) {
    int begins = m->phase == HOLDING && !m->locked && is_finite;
    for (int i = 0; i < J; ++i) begins = begins && fabs(wanted[i]) <= p[FIRST];
    if (begins) {
      m->phase = FOLLOWING;
      m->cause = NONE;
    } else {
      m->locked = 1.0;
      m->refused += 1.0;
    }
  }

  if (m->phase == FOLLOWING) {
    memcpy(tau, wanted, sizeof wanted);
  } else {
    hold(p, m, dt, q, v, tau);
  }
  for (int i = 0; i < J; ++i) {
    /* The robot compares with what it applied a millisecond ago. That is what its state says, if the last command was
     * lost on the way, or that command, if only the state was sent before it came: near both is near either. A hair less
     * than the limit is allowed. A lower rate that was asked for is for commands only: a brake, or a spring and a damper,
     * that comes late drives the arm. */
    const double rate = m->phase == FOLLOWING ? p[EFFORT_RATE + i] : ROBOT_RATE, most = rate * (1e-3 - 1e-9);
    tau[i] = clip(tau[i], -p[EFFORT + i], p[EFFORT + i]);
    tau[i] = clip(tau[i], m->sent[i] - most, m->sent[i] + most);
    tau[i] = clip(tau[i], last[i] - most, last[i] + most);
    m->sent[i] = tau[i];
  }
  return finite_all(tau, J) ? 0 : 1;
}
