"""Two implementations that share nothing but the arm's dynamics find the same sensitivities."""

import numpy as np
import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.evaluation.plain_sensitivities import PlainSensitivities
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity.exact import ExactSolver, Status
from ttdm_ros.mpc.tasks.config import load_task
from ttdm_ros.mpc.tasks.reference import plan
from ttdm_ros.systems.arm import load_arm

pytestmark = pytest.mark.timeout(400)  # the first run on a machine compiles

P = 4


@pytest.mark.parametrize("robot", ["panda", "fr3"])
def test_sparse_lu_and_riccati_agree(robot):
    arm, config = load_arm(robot), MpcConfig(horizon=8)
    exact = ExactSolver(arm, PredictionModel.nominal(ModelSpecification(hidden=(8,))), config)
    plain, random = PlainSensitivities(arm, config), np.random.default_rng(0)
    reference = plan(load_task("demo"), arm)
    for index in np.linspace(0, len(reference) - 200, 5).astype(int).tolist():
        rows = reference.window(index, 10, 9)
        x0 = rows[0, 12:26] + random.normal(size=14) * np.repeat([0.003, 0.03], 7)
        guess = rows[:, 12:26], rows[:-1, 26:]
        solution = exact.solve(x0, rows, *guess)
        assert (solution.status, solution.active, solution.violated) == (Status.SOLVED, 0, 0)
        x, u, factor = plain.solve(x0, rows, *guess)
        np.testing.assert_allclose(solution.u, u, atol=1e-8)
        np.testing.assert_allclose(solution.x, x, atol=1e-10)
        s, other = exact.sensitivities(P).s, plain.sensitivities(factor, P)
        assert np.abs(s - other).max() < 1e-9 * np.abs(s).max()
