"""Exports whose solutions acados differentiates: the same numbers, never taken for the package's own."""

from dataclasses import replace

import numpy as np
import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import SensitivityError, SolverError
from ttdm_ros.mpc import acados
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.export import ExportSettings, export
from ttdm_ros.training.sensitivity_manifest import check, read_manifest, write_manifest

pytestmark = pytest.mark.timeout(1500)  # the first run on a machine compiles

SAMPLING = SamplingConfig(spacing=20)


@pytest.fixture
def settings(panda):
    model = PredictionModel.nominal(ModelSpecification(hidden=(8,)))
    return ExportSettings(arm=panda, model=model, p=3, sampling=SAMPLING, mpc=MpcConfig(horizon=8))


@pytest.fixture
def bag(panda, motion, mcap):
    return read_bag_data(mcap(motion.messages()), panda, SAMPLING)


def test_a_folder_of_one_method_is_not_taken_for_the_other(settings, tmp_path):
    write_manifest(tmp_path, settings.manifest)
    assert read_manifest(tmp_path).method == "own"
    with pytest.raises(SensitivityError, match="method own, not acados"):
        check(tmp_path, replace(settings, method="acados").manifest)


def test_acados_is_not_asked_for_gauss_newton(settings, bag, tmp_path):
    with pytest.raises(SolverError, match="exact Hessian only"):
        export([bag], replace(settings, method="acados", hessian="gauss_newton"), tmp_path / "out", jobs=1)


def test_both_methods_export_the_same(settings, bag, tmp_path):
    try:
        acados.require_differentiation()
    except SolverError as error:
        with pytest.raises(SolverError, match="cannot differentiate its solutions"):
            export([bag], replace(settings, method="acados"), tmp_path / "theirs", jobs=1)
        pytest.skip(str(error))
    ours = export([bag], settings, tmp_path / "ours", jobs=1)
    theirs = export([bag], replace(settings, method="acados"), tmp_path / "theirs", jobs=1)
    assert ours.good.sum() > 10
    np.testing.assert_array_equal(theirs.good, ours.good)
    difference = np.abs(np.asarray(theirs.g, dtype=np.float64) - ours.g).max(axis=(1, 2, 3))
    assert (difference <= 1e-5 * np.abs(ours.g).max(axis=(1, 2, 3)) + 1e-12).all()
