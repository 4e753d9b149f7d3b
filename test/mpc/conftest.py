"""The optimal control problem once more, in numpy and pinocchio, to compare with."""

from dataclasses import dataclass

import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.systems.arm import Arm, load_arm

HORIZON = 5


@pytest.fixture(scope="session")
def panda() -> Arm:
    return load_arm("panda")


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(17)


def random_model(seed: int = 2, scale: float = 3.0, **keys) -> PredictionModel:
    """A network that bends the dynamics by a few rad/s² over the arm's range."""
    specification = ModelSpecification(**keys)
    model = PredictionModel.random(specification, seed=seed, scale=scale)
    if model.layers:
        model.input_std[:] = np.repeat([1.0, 2.0, 20.0], 7)[specification.columns]
        model.input_mean[:] = np.random.default_rng(seed).normal(0.0, 0.1, len(specification.columns))
    return model


@dataclass
class Problem:
    """min Σ ½‖y - row‖²_W over torques within bounds, states within soft bounds; one rollout after the other."""

    arm: Arm
    model: PredictionModel
    config: MpcConfig

    def __post_init__(self):
        self.weightless = self.arm.model.copy()
        self.weightless.gravity = pin.Motion.Zero()
        self.data = self.weightless.createData()
        frames = self.arm.base_frame, self.arm.tip_frame
        self.base, self.tip = (self.weightless.getFrameId(name, pin.FrameType.BODY) for name in frames)

    def network(self, z):
        names = self.model.specification.inputs
        parts = dict(zip(("q", "v", "tau"), np.split(z, 3), strict=True))
        h = np.concatenate([parts[name] for name in names])
        h = (h - self.model.input_mean) / self.model.input_std
        for layer in self.model.layers[:-1]:
            h = np.tanh(layer.weight @ h + layer.bias)
        last = self.model.layers[-1]
        return self.model.output_mean + self.model.output_std * (last.weight @ h + last.bias)

    def acceleration(self, z):
        structure = self.model.specification.structure
        nominal = 0.0 if structure == "full" else pin.aba(self.weightless, self.data, z[:7], z[7:14], z[14:]).copy()
        return nominal + (0.0 if structure == "nominal" else self.network(z))

    def step(self, x, u, dt=None):
        dt = dt or self.config.dt
        v = x[7:] + dt * self.acceleration(np.concatenate((x, u)))
        return np.concatenate((x[:7] + 0.5 * dt * (x[7:] + v), v))

    def rollout(self, x0, u):
        states = [x0]
        for torque in u:
            states.append(self.step(states[-1], torque))
        return np.array(states)

    def y(self, x, u):
        pin.framesForwardKinematics(self.weightless, self.data, x[:7])
        pose = self.data.oMf[self.base].actInv(self.data.oMf[self.tip])
        return np.concatenate((pose.translation, pose.rotation.T.ravel(), x, u))

    def stage_cost(self, x, u, row, last=False):
        c = self.config
        e = self.y(x, u) - row
        squares = [e[:3] @ e[:3], 0.5 * e[3:12] @ e[3:12], e[12:19] @ e[12:19], e[19:26] @ e[19:26], e[26:] @ e[26:]]
        torque = 0.0 if last else c.torque_weight
        weights = [c.position_weight, c.orientation_weight, c.posture_weight, c.velocity_weight, torque]
        return 0.5 * (c.terminal_factor if last else 1.0) * float(np.dot(weights, squares))

    def violation(self, x):
        limits = self.arm.limits
        lower = np.concatenate((limits.position_lower, -self.config.velocity_share * limits.velocity))
        upper = np.concatenate((limits.position_upper, self.config.velocity_share * limits.velocity))
        return np.maximum(np.maximum(lower - x, x - upper), 0.0)

    def cost(self, x0, u, rows):
        """Cost of torques u (N, 7) from x0 (14,), with the penalty that the soft bounds amount to."""
        states = self.rollout(x0, u)
        total = 0.0
        for k, x in enumerate(states):
            last = k == len(u)
            total += self.stage_cost(x, np.zeros(7) if last else u[k], rows[k], last)
            if k > 0:
                out = self.violation(x)
                total += 0.5 * self.config.slack_quadratic * out @ out
        return total

    def gradient(self, x0, u, rows, step=3e-6):
        """Of the cost by the torques (N, 7), by differences so small that no state bound is crossed."""
        gradient = np.zeros_like(u)
        for index in np.ndindex(*u.shape):
            change = np.zeros_like(u)
            change[index] = step
            gradient[index] = self.cost(x0, u + change, rows) - self.cost(x0, u - change, rows)
        return gradient / (2.0 * step)

    def rows_of(self, states, u):
        """Reference rows that a motion fulfils exactly."""
        torques = np.concatenate((u, u[-1:]))
        return np.array([self.y(x, tau) for x, tau in zip(states, torques, strict=True)])


@dataclass
class Case:
    """A compiled solver, its problem in numpy, and a motion that its model makes."""

    solver: MpcSolver
    problem: Problem
    x0: np.ndarray
    u: np.ndarray
    x: np.ndarray
    rows: np.ndarray

    def converge(self, x0, rows=None, *, calls=60, guess=None):
        """The solution that real-time iterations at one state end in."""
        rows = self.rows if rows is None else rows
        self.solver.initialise(*(guess or (np.tile(x0, (len(self.x), 1)), np.zeros_like(self.u))))
        plan = None
        for _ in range(calls):
            before, plan = plan, self.solver.solve(x0, rows)
            assert plan.ok
            if before is not None and np.abs(plan.u - before.u).max() < 1e-9:
                break
        return plan


def make_case(arm, model, seed=0, torque=0.25, **settings) -> Case:
    """A random motion from about home, with torques up to a share of the limits."""
    settings.setdefault("horizon", HORIZON)
    config = MpcConfig(**settings)
    problem, random = Problem(arm, model, config), np.random.default_rng(seed)
    u = torque * arm.limits.effort * random.uniform(-1.0, 1.0, (config.horizon, 7))
    x0 = np.concatenate((arm.home + random.normal(0.0, 0.1, 7), random.normal(0.0, 0.2, 7)))
    x = problem.rollout(x0, u)
    return Case(MpcSolver(arm, model, config), problem, x0, u, x, problem.rows_of(x, u))


@pytest.fixture(scope="session")
def new_case(panda):
    """Makes a case of the Panda; compiled solvers are shared through the cache."""
    return lambda model=None, **settings: make_case(panda, model or random_model(), **settings)


@pytest.fixture(scope="session")
def new_model():
    return random_model


@pytest.fixture
def case(new_case) -> Case:
    """A residual network of the default size, a short horizon."""
    return new_case()
