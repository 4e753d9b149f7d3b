"""The launch file of the Franka driver, evaluated with launch's own machinery; nothing is started."""

import importlib.util
from typing import Any

import pytest

pytest.importorskip(
    "launch_ros", reason="launch_ros cannot be imported: it comes with a ROS installation, not with pip"
)

from launch import LaunchContext
from launch.actions import OpaqueFunction, Shutdown
from launch_ros.actions import Node
from launch_ros.utilities import evaluate_parameters

from ttdm_ros.errors import TtdmError
from ttdm_ros.paths import share_folder


def node(**arguments: str) -> Node:
    path = share_folder() / "launch" / "franka_driver.launch.py"
    spec = importlib.util.spec_from_file_location("franka_driver_launch", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    (found,) = [
        node
        for entity in module.generate_launch_description().entities
        for node in entity.visit(context) or []
        if isinstance(entity, OpaqueFunction)
    ]
    return found


def parameters(found: Node) -> dict[str, Any]:
    (values,) = evaluate_parameters(LaunchContext(), found._Node__parameters)
    return dict(values)


def test_the_driver_gets_the_values_of_its_file_and_over_them_the_arguments() -> None:
    values = parameters(node(address="192.168.1.5"))
    assert (values["robot"], values["address"], values["kind"]) == ("fr3", "192.168.1.5", "fr3")
    assert (values["rate"], values["guard.timeout"]) == (1000, 0.05)


@pytest.mark.parametrize(("given", "kind"), [({"robot": "panda"}, "panda"), ({"robot": "panda", "kind": "fr3"}, "fr3")])
def test_the_kind_follows_from_the_robot_unless_it_is_given(given: dict[str, str], kind: str) -> None:
    assert parameters(node(**given))["kind"] == kind


def test_the_end_of_the_driver_ends_everything() -> None:
    assert [type(action) for action in node()._ExecuteLocal__on_exit] == [Shutdown]


@pytest.mark.parametrize(
    ("given", "problem"), [({"robot": "ur5"}, "no robot named 'ur5'"), ({"kind": "iiwa"}, "no kind:=iiwa")]
)
def test_what_is_wrong_is_refused_before_anything_starts(given: dict[str, str], problem: str) -> None:
    with pytest.raises(TtdmError, match=problem):
        node(**given)
