"""The controller on an arm that does not carry itself: with a holder before it, it is the arm that does."""

import numpy as np
import pytest

from ttdm_ros.config import parse
from ttdm_ros.control.controller import Controller
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.timeline import Task
from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.mpc.tasks.config import TaskConfig
from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.plants.holder import Holder
from ttdm_ros.plants.mujoco_plant import MujocoPlant
from ttdm_ros.systems.arm import Arm, load_arm

CIRCLE = {"type": "circle", "name": "short", "radius": 0.04, "speed": 0.2, "acceleration": 2.0, "dwell_start": 0.05}
LOAD = {"payload": {"mass": 0.5, "com": [0.02, 0.0, 0.03]}, "friction": {"coulomb_scale": 0.3, "viscous_scale": 1.0}}


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


@pytest.fixture(scope="module")
def solver(arm: Arm) -> MpcSolver:
    return MpcSolver(arm, load_model("nominal"))


class Loop:
    """Controller, holder and plant, a joint state every 2 ms; torques arrive 1 ms later."""

    def __init__(self, solver: MpcSolver, *, compensates: bool) -> None:
        self.arm = solver.arm
        config = parse(LOAD | {"gravity_compensation": compensates}, PlantConfig, "test")
        self.plant = MujocoPlant(self.arm, config)
        self.holder = Holder(self.arm, adds_gravity=not compensates)
        task = Task(self.arm, parse(CIRCLE, TaskConfig, "test"))
        self.controller = Controller(solver, task, clock=lambda: 0.0)
        self.errors: list[float] = []
        self.controller.activate()

    def step(self, *, commanded: bool = True) -> None:
        measured = self.plant.measure()
        if commanded:
            answer = self.controller.on_state(measured.time_ns, measured.q, measured.v)
            if answer.tau is not None:
                self.holder.command(answer.tau)
            if self.controller.phase is Phase.TRACKING:
                place = self.controller.reference_now()[1][:3]
                self.errors.append(float(np.linalg.norm(self.arm.tip_pose(self.plant.q)[0] - place)))
        torque = self.holder.answer(measured.time_ns + 1, measured.q, measured.v)
        assert torque is not None
        self.plant.advance(0.001)
        self.plant.command(torque)
        self.plant.advance(0.001)

    def until(self, phase: Phase) -> None:
        for _ in range(10_000):
            if self.controller.phase is phase:
                return
            self.step()
        raise AssertionError(f"{phase.name} was not reached: {self.controller.phase.name}, {self.controller.fault}")

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(np.square(self.errors))))


def test_it_tracks_as_well_as_on_an_arm_that_carries_itself(solver: MpcSolver) -> None:
    own, added = Loop(solver, compensates=True), Loop(solver, compensates=False)
    for loop in (own, added):
        loop.until(Phase.HOLDING)
        assert loop.controller.fault is None
    assert own.rms < 0.02
    assert added.rms == pytest.approx(own.rms, rel=0.05)


def test_without_the_weight_added_the_arm_hangs_below_its_path(solver: MpcSolver) -> None:
    bare, added = Loop(solver, compensates=False), Loop(solver, compensates=False)
    bare.holder = Holder(bare.arm, adds_gravity=False)
    for loop in (bare, added):
        loop.until(Phase.HOLDING)
    assert bare.rms > 3.0 * added.rms


def test_a_controller_that_dies_on_its_way_leaves_a_held_arm(solver: MpcSolver) -> None:
    loop = Loop(solver, compensates=False)
    loop.until(Phase.TRACKING)
    for _ in range(200):
        loop.step()
    assert np.abs(loop.plant.v).max() > 0.05
    place = loop.plant.q
    for _ in range(1500):
        loop.step(commanded=False)
    assert loop.holder.holding
    assert np.abs(loop.plant.v).max() < 5e-3
    assert np.abs(loop.plant.q - place).max() < 0.2
