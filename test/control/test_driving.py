"""The controller with its real solver drives a simulated arm from rest to rest."""

import numpy as np
import pytest

from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.controller import Controller
from ttdm_ros.control.phase import Phase
from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.plants.config import load_plant
from ttdm_ros.plants.mujoco_plant import MujocoPlant


@pytest.fixture(scope="module")
def solver(panda):
    return MpcSolver(panda, load_model("nominal"))


class Drive:
    """A controller and a plant, coupled 500 times a second; every command is checked."""

    def __init__(self, solver, task, plant="ideal", **config):
        self.arm = solver.arm
        self.controller = Controller(solver, task, ControllerConfig(**config), clock=lambda: 0.0)
        self.plant = MujocoPlant(solver.arm, load_plant(plant))
        self.controller.activate()
        self.tau = np.zeros(7)
        self.errors, self.tips = [], []

    def run(self, condition, longest=20.0):
        for _ in range(round(500 * longest)):
            if condition():
                return self
            measured = self.plant.measure()
            answer = self.controller.on_state(measured.time_ns, measured.q, measured.v)
            self.plant.advance(0.001)
            if answer.tau is not None:
                self._check(answer.tau)
                self.plant.command(answer.tau)
                tip = self.arm.tip_pose(measured.q)[0]
                self.tips.append(tip)
                self.errors.append(np.linalg.norm(tip - self.controller.reference_now()[1][:3]))
            self.plant.advance(0.001)
        raise AssertionError(f"still {self.controller.phase.name}")

    def until(self, *phases):
        return self.run(lambda: self.controller.phase in phases)

    def for_states(self, count):
        end = len(self.tips) + count
        return self.run(lambda: len(self.tips) >= end)

    def _check(self, tau):
        limits = self.arm.limits
        assert np.isfinite(tau).all()
        assert (np.abs(tau) <= limits.effort).all()
        assert (np.abs(tau - self.tau) <= 0.002 * limits.effort_rate + 1e-9).all()
        self.tau = tau


def test_it_drives_a_task_from_activation_to_its_end(solver, circle):
    drive = Drive(solver, circle).until(Phase.TRACKING)
    begin = len(drive.errors)
    assert max(drive.errors) < 3e-3  # while torque is ramped in
    drive.until(Phase.HOLDING).for_states(250)
    assert max(drive.errors[begin:]) < 5e-4
    assert drive.errors[-1] < 1e-5
    assert drive.controller.failed == 0
    assert np.abs(drive.plant.v).max() < 1e-3


@pytest.mark.parametrize("plant", ["ideal", "payload_friction"])
def test_deactivated_on_its_way_the_arm_comes_to_rest_on_its_path(solver, circle, plant):
    drive = Drive(solver, circle, plant).until(Phase.TRACKING).for_states(400)
    assert np.abs(drive.plant.v).max() > 0.1
    drive.controller.deactivate()
    drive.until(Phase.INACTIVE)
    assert np.abs(drive.plant.v).max() < 0.05
    path = circle.reference.table[:, :3]
    away = [np.linalg.norm(path - tip, axis=1).min() for tip in drive.tips[-300:]]
    assert max(away) < (1e-3 if plant == "ideal" else 0.02)


def test_it_holds_against_a_push_and_returns(solver, circle):
    drive = Drive(solver, circle).until(Phase.HOLDING)
    drive.plant.push(np.array([0.0, 20.0, 0.0]), 0.2)
    drive.for_states(750)
    assert max(drive.errors[-750:]) > 1e-3
    assert drive.errors[-1] < 1e-3
    assert drive.controller.phase is Phase.HOLDING


@pytest.mark.parametrize("rate", [50.0, 250.0])
def test_it_tracks_at_any_control_rate(solver, circle, rate):
    drive = Drive(solver, circle, rate=rate).until(Phase.TRACKING)
    begin = len(drive.errors)
    assert max(drive.until(Phase.HOLDING).errors[begin:]) < 1e-3


def test_a_fault_on_the_way_brings_the_arm_to_rest(solver, circle):
    drive = Drive(solver, circle).until(Phase.TRACKING).for_states(400)
    drive.controller.stop("enough")
    drive.until(Phase.STOPPED)
    assert np.abs(drive.plant.v).max() < 0.05


def test_a_model_exchanged_on_the_way_leaves_the_arm_on_its_path(panda, circle):
    import dataclasses

    solver, model = MpcSolver(panda, load_model("nominal")), load_model("nominal")
    drive = Drive(solver, circle).until(Phase.TRACKING).for_states(200)
    drive.controller.set_model(dataclasses.replace(model, output_mean=np.full(7, 0.1)))
    drive.for_states(200)
    drive.controller.set_model(model)
    drive.until(Phase.HOLDING)
    assert max(drive.errors) < 5e-3
    assert max(drive.errors[-50:]) < 5e-4
