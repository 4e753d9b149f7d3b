"""The settings of the problem from a file of their own, or from the parameter file that the controller ran with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ttdm_ros.errors import ConfigError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.settings_file import load_mpc
from ttdm_ros.paths import share_folder


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "own.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_of_its_own_holds_the_settings_themselves(written: Callable[[str], Path]) -> None:
    assert load_mpc(written("horizon: 12\ndt: 0.025\n")) == MpcConfig(horizon=12, dt=0.025)


@pytest.mark.parametrize(
    "node", ["mpc_controller", "/mpc_controller", "/**/mpc_controller", "/left/mpc_controller", "/**"]
)
def test_of_a_parameter_file_those_of_the_controller_count(written: Callable[[str], Path], node: str) -> None:
    text = f"{node}:\n  ros__parameters:\n    task: sines\n    controller: {{rate: 250.0}}\n    mpc: {{horizon: 12}}\n"
    assert load_mpc(written(text)) == MpcConfig(horizon=12)


def test_they_may_be_written_with_dots(written: Callable[[str], Path]) -> None:
    text = "/**:\n  ros__parameters:\n    mpc.horizon: 12\n    mpc.dt: 0.025\n"
    assert load_mpc(written(text)) == MpcConfig(horizon=12, dt=0.025)


def test_of_two_nodes_that_the_controller_is_the_later_one_wins(written: Callable[[str], Path]) -> None:
    text = (
        "/**:\n  ros__parameters: {mpc: {horizon: 12, dt: 0.025}}\n"
        "mpc_controller:\n  ros__parameters: {mpc: {horizon: 14}}\n"
    )
    assert load_mpc(written(text)) == MpcConfig(horizon=14, dt=0.025)


def test_without_any_for_the_controller_it_has_those_that_are_built_in(written: Callable[[str], Path]) -> None:
    text = (
        "/**/simulator:\n  ros__parameters: {mpc: {horizon: 12}}\nmpc_controller:\n  ros__parameters: {task: sines}\n"
    )
    assert load_mpc(written(text)) == MpcConfig()


def test_the_file_that_ships_is_what_is_built_in() -> None:
    assert load_mpc(share_folder() / "config" / "mpc_controller.yaml") == MpcConfig()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("horizn: 12\n", r"own\.yaml: key 'horizn' is not known \(did you mean 'horizon'\?\)"),
        ("/**:\n  ros__parameters: {mpc: {horizn: 12}}\n", "key 'horizn' is not known"),
        ("/**:\n  ros__parameters: {mpc: 12}\n", "key 'mpc' is not known"),
        ("/**:\n  ros__parameters: {mpc.dt: -1.0}\n", "'dt': input should be greater than 0"),
        ("- 12\n", "valid dictionary"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(written: Callable[[str], Path], text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_mpc(written(text))
