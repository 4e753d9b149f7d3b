"""A solver that plans whatever a test wants, and a rig that feeds a controller and watches its commands."""

from types import SimpleNamespace

import numpy as np
import pytest

from ttdm_ros.config import parse
from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.controller import Controller
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.timeline import Task
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.solver import Plan
from ttdm_ros.mpc.tasks.config import TaskConfig, load_task
from ttdm_ros.systems.arm import load_arm

PERIOD_NS = 2_000_000  # of the joint states

CIRCLE = {
    "type": "circle", "name": "small circle", "radius": 0.05, "speed": 0.25, "acceleration": 2.0, "plane": "xy",
    "centre": [0.02, 0.0, -0.02], "dwell_start": 0.05, "dwell_end": 0.05,
}  # fmt: skip


@pytest.fixture(scope="session")
def panda():
    return load_arm("panda")


@pytest.fixture(scope="session")
def circle(panda):
    """A short task."""
    return Task(panda, parse(CIRCLE, TaskConfig, "test"))


@pytest.fixture(scope="session")
def live(panda):
    return Task(panda, load_task("live"))


class FakeSolver:
    """Plans the reference itself, or fails; remembers what it was asked."""

    def __init__(self, arm):
        self.arm, self.config = arm, MpcConfig(horizon=4)
        self.model = SimpleNamespace(name="fake")
        self.statuses = []  # of the solves to come; 0 after them
        self.torque, self.gain = np.zeros(7), np.zeros((7, 14))
        self.share = 1.0  # of the reference's torque that is planned
        self.calls, self.guesses = [], []

    def set_model(self, model):
        self.model = model

    def initialise_from(self, rows):
        self.guesses.append(rows.copy())

    def initialise(self, x, u):
        self.guesses.append((x.copy(), u.copy()))

    def solve(self, x0, rows, *, share=0.0, start=0.0):
        self.calls.append(SimpleNamespace(x0=x0.copy(), rows=rows.copy(), share=share, start=start))
        status = self.statuses.pop(0) if self.statuses else 0
        u = self.share * rows[:-1, 26:] + self.torque if status == 0 else np.full((4, 7), np.nan)
        return Plan(
            start=start, dt=self.config.dt, x=rows[:, 12:26].copy(), u=u, gain=self.gain, status=status,
            iterations=1, solve_us=0.0, call_us=0.0,
        )  # fmt: skip

    def predict_along(self, x, u, durations):
        return np.concatenate((x[:7] + x[7:] * durations.sum(), x[7:]))


class Rig:
    """A controller whose arm is where the reference was a moment ago, unless a test says otherwise."""

    def __init__(self, arm, task, solver=None, **config):
        self.arm, self.solver = arm, solver or FakeSolver(arm)
        self.events, self.elapsed = [], 0.0  # what the clock adds at each look
        self._clock = 0.0
        self.controller = Controller(
            self.solver, task, ControllerConfig(**config), on_event=self.events.append, clock=self._look
        )
        self.stamp_ns = self._state_ns = 5_000_000_000
        self.q, self.v = arm.home.copy(), np.zeros(7)
        self.torques, self._commanded_ns = [], None

    def _look(self):
        self._clock += self.elapsed
        return self._clock

    @property
    def phase(self):
        return self.controller.phase

    def state(self, q=None, v=None, *, after_ns=PERIOD_NS):
        """Feed the next joint state, and move the arm along its reference."""
        self.stamp_ns += after_ns
        self._state_ns = self.stamp_ns
        answer = self.controller.on_state(self.stamp_ns, self.q if q is None else q, self.v if v is None else v)
        self._watch(answer, self.stamp_ns)
        if answer.tau is not None:
            _, row = self.controller.reference_now()
            self.q, self.v = row[12:19].copy(), row[19:26].copy()
        return answer

    def silence(self, elapsed=None):
        """Feed the absence of joint states: ``elapsed`` after the last one, or one period later than now."""
        self.stamp_ns = self.stamp_ns + PERIOD_NS if elapsed is None else self._state_ns + round(1e9 * elapsed)
        answer = self.controller.on_silence(1e-9 * (self.stamp_ns - self._state_ns))
        self._watch(answer, self.stamp_ns)
        return answer

    def _watch(self, answer, stamp_ns):
        """Whatever happens, a command is finite and within torque and torque-rate limits."""
        if answer.tau is None:
            return
        assert np.isfinite(answer.tau).all()
        limits = self.arm.limits
        assert (np.abs(answer.tau) <= limits.effort).all()
        before = self.torques[-1] if self.torques and self._commanded_ns else np.zeros(7)
        elapsed = 1e-9 * (stamp_ns - self._commanded_ns) if self._commanded_ns else 1e-3
        assert (np.abs(answer.tau - before) <= limits.effort_rate * min(elapsed, 0.01) + 1e-9).all()
        self.torques.append(answer.tau)
        self._commanded_ns = stamp_ns

    def activate(self):
        self.controller.activate()
        self._commanded_ns = None

    def run_until(self, *phases, longest=20.0):
        """Feed states until a phase is reached."""
        for _ in range(round(longest * 500)):
            if self.phase in phases:
                return self
            self.state()
        raise AssertionError(f"{phases} was never reached, but {self.phase.name}: {self.controller.fault}")

    def start(self, phase=Phase.TRACKING):
        """Activate and drive until a phase is reached."""
        self.activate()
        return self.run_until(phase)


@pytest.fixture
def new_rig(panda, circle):
    return lambda task=circle, solver=None, **config: Rig(panda, task, solver, **config)


@pytest.fixture
def rig(new_rig):
    return new_rig()
