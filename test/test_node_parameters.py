"""A node given its parameters as launch gives them: what it makes of its own file, the arguments, the user's file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

import yaml
from rclpy.context import Context
from rclpy.node import Node

from ttdm_ros.node_parameters import node_parameters
from ttdm_ros.paths import share_folder
from ttdm_ros.yaml_text import read_yaml

NODE = "mpc_controller"
ARGUMENTS = {"robot": "fr3", "task": "sines", "autostart": True}


def as_files(folder: Path, parameters: list[dict[str, Any] | str]) -> list[str]:
    """Write dictionaries into files as launch_ros does where a node is not fully named."""
    files = []
    for number, item in enumerate(parameters):
        if isinstance(item, dict):
            file = folder / f"launch_{number}.yaml"
            file.write_text(yaml.dump({"/**": {"ros__parameters": item}}), encoding="utf-8")
            files.append(str(file))
        else:
            files.append(str(item))
    return files


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Start a node with what ``node_parameters`` returns, and tell the parameters it was given."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    context.init(args=[])

    def start(params_file: str = "", namespace: str = "") -> dict[str, Any]:
        files = as_files(tmp_path, node_parameters(NODE, ARGUMENTS, params_file))
        node = Node(
            NODE,
            namespace=namespace,
            context=context,
            cli_args=["--ros-args", *(word for file in files for word in ("--params-file", file))],
            automatically_declare_parameters_from_overrides=True,
        )
        try:
            return {name: each.value for name, each in node.get_parameters_by_prefix("").items()}
        finally:
            node.destroy_node()

    yield start
    context.try_shutdown()


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], str]:
    """Write a user's file with one key."""

    def write(key: str) -> str:
        file = tmp_path / "own.yaml"
        values = {"autostart": False, "controller": {"rate": 250.0}}
        file.write_text(yaml.dump({key: {"ros__parameters": values}}), encoding="utf-8")
        return str(file)

    return write


def test_arguments_win_over_the_file_that_ships(given: Callable[..., dict[str, Any]]) -> None:
    shipped = read_yaml((share_folder() / "config" / f"{NODE}.yaml").read_text(encoding="utf-8"))
    controller = shipped[f"/**/{NODE}"]["ros__parameters"]["controller"]
    parameters = given()
    assert {name: parameters[name] for name in ARGUMENTS} == ARGUMENTS
    assert {name: parameters[f"controller.{name}"] for name in controller} == controller


@pytest.mark.parametrize("key", ["/**", f"/**/{NODE}", NODE, f"/{NODE}"])
def test_the_file_of_the_user_wins_over_the_arguments_whatever_its_key(
    given: Callable[..., dict[str, Any]], own: Callable[[str], str], key: str
) -> None:
    parameters = given(own(key))
    assert parameters["autostart"] is False
    assert parameters["controller.rate"] == 250.0
    assert (parameters["robot"], parameters["task"]) == ("fr3", "sines")


@pytest.mark.parametrize("key", ["/**", f"/**/{NODE}", f"/left/{NODE}"])
def test_so_it_does_in_a_namespace(given: Callable[..., dict[str, Any]], own: Callable[[str], str], key: str) -> None:
    assert given(own(key), namespace="left")["autostart"] is False


@pytest.mark.parametrize("node", ["mpc_controller", "simulator", "recorder", "holder", "franka_driver"])
def test_every_node_has_a_file_with_one_key(node: str) -> None:
    (parameters,) = node_parameters(node, {})
    assert isinstance(parameters, dict)
    assert parameters
