"""The optimal control problem given to an independent solver: CasADi's symbols, IPOPT's interior-point method."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import casadi as ca
import numpy as np
import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity.exact import ExactSolver
from ttdm_ros.systems.arm import Arm, load_arm
from ttdm_ros.systems.rigid_body import rigid_body

HORIZON = 8
OPTIONS = {
    "print_time": False,
    "ipopt": {
        "print_level": 0,
        "sb": "yes",
        "tol": 1e-11,
        "mu_target": 1e-13,
        "bound_relax_factor": 0.0,
        "max_iter": 200,
        "warm_start_init_point": "yes",
        "nlp_scaling_method": "none",
    },
}


def random_model(seed: int = 2, scale: float = 2.0, inputs=("q", "v")) -> PredictionModel:
    """A network that bends the dynamics by a few rad/s² over the arm's range."""
    specification = ModelSpecification(hidden=(8,), inputs=inputs)
    model = PredictionModel.random(specification, seed=seed, scale=scale)
    model.input_std[:] = np.repeat([1.0, 2.0, 20.0], 7)[specification.columns]
    return model


class Ipopt:
    """min Σ ½‖y - row‖²_W with x_{k+1} = f(x_k, u_k) + d_k and bounds on torque; bounds on states must stay away."""

    _solvers: ClassVar[dict[tuple[str, str, str], ca.Function]] = {}
    """By arm, model and settings, of which torque bounds only come in when it is called."""

    def __init__(self, arm: Arm, model: PredictionModel, config: MpcConfig) -> None:
        self.arm, self.model, self.config = arm, model, config
        self.body, n = rigid_body(arm), config.horizon
        key = (arm.name, model.fingerprint, config.model_copy(update={"effort_share": 1.0}).model_dump_json())
        if key not in self._solvers:
            self._solvers[key] = self._new_solver()
        self.solver = self._solvers[key]
        effort = config.effort_share * arm.limits.effort
        free = np.full(14 * (n + 1), np.inf)
        self.upper = np.concatenate([free, np.tile(effort, n)])

    def _new_solver(self) -> ca.Function:
        config, n = self.config, self.config.horizon
        x, u = ca.MX.sym("x", 14, n + 1), ca.MX.sym("u", 7, n)
        x0, rows, d = ca.MX.sym("x0", 14), ca.MX.sym("rows", 33, n + 1), ca.MX.sym("d", 14, n)
        w, terminal = config.stage_weights(), config.terminal_weights()
        step, output = self._step(), self._output()
        cost = sum(self._half(w, output(x[:, k], u[:, k]) - rows[:, k]) for k in range(n))
        cost += self._half(terminal, output(x[:, n], ca.MX.zeros(7)) - rows[:, n])
        gaps = [x[:, 0] - x0, *(step(x[:, k], u[:, k]) + d[:, k] - x[:, k + 1] for k in range(n))]
        nlp = {
            "x": ca.vertcat(ca.vec(x), ca.vec(u)),
            "p": ca.vertcat(x0, ca.vec(rows), ca.vec(d)),
            "f": cost,
            "g": ca.vertcat(*gaps),
        }
        return ca.nlpsol("solver", "ipopt", nlp, OPTIONS)

    def solve(self, x0, rows, guess, disturbance=None):
        """States (N + 1, 14) and torques (N, 7) of the solution."""
        n = self.config.horizon
        d = np.zeros((n, 14)) if disturbance is None else disturbance
        result = self.solver(
            x0=np.concatenate([part.ravel() for part in guess]),
            p=np.concatenate([x0, rows.ravel(), d.ravel()]),
            lbx=-self.upper,
            ubx=self.upper,
            lbg=0.0,
            ubg=0.0,
        )
        assert self.solver.stats()["success"], self.solver.stats()["return_status"]
        values = np.asarray(result["x"]).ravel()
        return values[: 14 * (n + 1)].reshape(-1, 14), values[14 * (n + 1) :].reshape(-1, 7)

    def cost(self, x, u, rows):
        """Cost of a plan."""
        output, n = self._output(), self.config.horizon
        w, terminal = self.config.stage_weights(), self.config.terminal_weights()
        torques = np.concatenate([u, np.zeros((1, 7))])
        errors = [np.asarray(output(x[k], torques[k])).ravel() - rows[k] for k in range(n + 1)]
        return sum(0.5 * e @ ((terminal if k == n else w) * e) for k, e in enumerate(errors))

    def step(self, x, u):
        return np.asarray(self._step()(x, u)).ravel()

    def _step(self) -> ca.Function:
        x, u = ca.SX.sym("x", 14), ca.SX.sym("u", 7)
        q, v = x[:7], x[7:]
        a = self.body.forward_dynamics(q, v, u)
        if self.model.layers:
            h = (ca.vertcat(q, v, u)[self.model.specification.columns] - self.model.input_mean) / self.model.input_std
            for layer in self.model.layers[:-1]:
                h = ca.tanh(layer.weight @ h + layer.bias)
            last = self.model.layers[-1]
            a += self.model.output_mean + self.model.output_std * (last.weight @ h + last.bias)
        after = v + self.config.dt * a
        return ca.Function("step", [x, u], [ca.vertcat(q + 0.5 * self.config.dt * (v + after), after)])

    def _output(self) -> ca.Function:
        x, u = ca.SX.sym("x", 14), ca.SX.sym("u", 7)
        position, rotation = self.body.tip_pose(x[:7])
        return ca.Function("output", [x, u], [ca.vertcat(position, ca.vec(rotation), x, u)])

    @staticmethod
    def _half(weights, error):
        return 0.5 * ca.dot(ca.DM(weights) * error, error)


@dataclass
class Sample:
    """A state and a reference that the arm cannot follow exactly."""

    x0: np.ndarray
    rows: np.ndarray
    guess: tuple[np.ndarray, np.ndarray]


def make_sample(problem: Ipopt, seed: int) -> Sample:
    """A jerky reference, and a start beside it; the joints stay slow."""
    random, n, arm = np.random.default_rng(seed), problem.config.horizon, problem.arm
    start = np.concatenate([arm.home + random.normal(0.0, 0.1, 7), random.normal(0.0, 0.1, 7)])
    states, torques = [start], []
    for a in random.uniform(-5.0, 5.0, (n, 7)):
        q, v = states[-1][:7], states[-1][7:]
        torques.append(arm.inverse_dynamics(q, v, a))
        after = v + problem.config.dt * a
        states.append(np.concatenate([q + 0.5 * problem.config.dt * (v + after), after]))
    output, u = problem._output(), np.array(torques)
    rows = [np.asarray(output(x, t)).ravel() for x, t in zip(states, [*torques, torques[-1]], strict=True)]
    x0 = start + np.concatenate([random.normal(0.0, 0.003, 7), random.normal(0.0, 0.05, 7)])
    effort = problem.config.effort_share * arm.limits.effort
    return Sample(x0, np.array(rows), (np.array(states), np.clip(u, -effort, effort)))


@pytest.fixture(scope="session", params=["panda", "fr3"])
def arm(request: pytest.FixtureRequest) -> Arm:
    return load_arm(request.param)


@dataclass
class Case:
    """One problem, solved by what is tested and by IPOPT."""

    exact: ExactSolver
    ipopt: Ipopt
    sample: Sample

    def solve(self, disturbance=None, **options):
        """What is tested, from IPOPT's undisturbed solution."""
        return self.exact.solve(
            self.sample.x0, self.sample.rows, *self.reference, disturbance=disturbance, tolerance=1e-10, **options
        )

    @cached_property
    def reference(self):
        return self.ipopt.solve(self.sample.x0, self.sample.rows, self.sample.guess)

    def first_torque(self, disturbance):
        """IPOPT's first torque under a disturbance."""
        return self.ipopt.solve(self.sample.x0, self.sample.rows, self.reference, disturbance)[1][0]


@pytest.fixture(scope="session")
def new_case():
    """Makes a case; problems of one arm and model are shared."""
    problems: dict[tuple, tuple[ExactSolver, Ipopt]] = {}

    def make(arm: Arm, seed: int = 0, *, learned: bool = True, **settings) -> Case:
        key = (arm.name, learned, *sorted(settings.items()))
        if key not in problems:
            config = MpcConfig(horizon=HORIZON, **settings)
            model = random_model() if learned else PredictionModel.nominal(ModelSpecification(hidden=(8,)))
            problems[key] = ExactSolver(arm, model, config), Ipopt(arm, model, config)
        exact, ipopt = problems[key]
        return Case(exact, ipopt, make_sample(ipopt, seed))

    return make
