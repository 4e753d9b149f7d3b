"""Settings of the problem: weights in the order of the reference rows, bad values refused by name."""

import numpy as np
import pytest

from ttdm_ros.config import parse
from ttdm_ros.errors import ConfigError
from ttdm_ros.mpc.config import MpcConfig


def test_stage_weights_follow_the_order_of_a_reference_row():
    config = MpcConfig(
        position_weight=1.0, orientation_weight=4.0, posture_weight=3.0, velocity_weight=5.0, torque_weight=7.0
    )
    expected = [1.0] * 3 + [2.0] * 9 + [3.0] * 7 + [5.0] * 7 + [7.0] * 7
    np.testing.assert_array_equal(config.stage_weights(), expected)


def test_terminal_weights_are_a_multiple_without_torque():
    config = MpcConfig(terminal_factor=3.0)
    np.testing.assert_array_equal(config.terminal_weights()[:26], 3.0 * config.stage_weights()[:26])
    assert not config.terminal_weights()[26:].any()


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"horizon": 1}, "'horizon'.*greater than or equal to 2"),
        ({"horizon": 201}, "'horizon'.*less than or equal to 200"),
        ({"dt": 0.0}, "'dt'.*greater than 0"),
        ({"dt": float("nan")}, "'dt'.*finite"),
        ({"torque_weight": 0.0}, "'torque_weight'.*greater than 0"),
        ({"position_weight": -1.0}, "'position_weight'.*greater than 0"),
        ({"effort_share": 1.1}, "'effort_share'.*less than or equal to 1"),
        ({"orientation_wieght": 1.0}, "did you mean 'orientation_weight'"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(keys, complaint):
    with pytest.raises(ConfigError, match=complaint):
        parse(keys, MpcConfig, "mpc.yaml")
