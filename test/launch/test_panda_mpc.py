"""The launch files, evaluated with launch's own machinery; nothing is started."""

import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip(
    "launch_ros", reason="launch_ros cannot be imported: it comes with a ROS installation, not with pip"
)

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteLocal, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_context import LaunchContext as Context
from launch_ros.actions import Node
from launch_ros.utilities import evaluate_parameters

from ttdm_ros.errors import TtdmError
from ttdm_ros.paths import find_config, share_folder

LAUNCH = share_folder() / "launch"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), LAUNCH / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def visit(entities: Any, context: Context) -> Iterator[Node]:
    """Walk through what launch would do, in order, and yield the nodes instead of starting them."""
    for entity in entities or []:
        if isinstance(entity, Node):
            yield entity
        elif isinstance(entity, LaunchDescription):
            yield from visit(entity.entities, context)
        elif isinstance(entity, DeclareLaunchArgument | OpaqueFunction | IncludeLaunchDescription):
            yield from visit(entity.visit(context), context)
        elif not isinstance(entity, Shutdown):
            entity.visit(context)


def nodes(file: str = "panda_mpc.launch.py", **arguments: str) -> dict[str, Node]:
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    return {node.node_executable: node for node in visit(load(file).generate_launch_description().entities, context)}


def parameters(node: Node) -> dict[str, Any]:
    """Return the parameters a node gets before the user's file."""
    evaluated = evaluate_parameters(LaunchContext(), node._Node__parameters)
    return {name: value for item in evaluated if isinstance(item, dict) for name, value in item.items()}


@pytest.mark.parametrize(
    ("plant", "record", "use_sim_time"),
    list(itertools.product(("mujoco", "none"), ("true", "false"), ("true", "false"))),
)
def test_the_arguments_choose_the_nodes(plant: str, record: str, use_sim_time: str) -> None:
    started = nodes(plant=plant, record=record, use_sim_time=use_sim_time)
    expected = {"mpc_controller"}
    expected |= {"simulator"} if plant == "mujoco" else set()
    expected |= {"recorder"} if record == "true" else set()
    assert set(started) == expected
    sim_time = use_sim_time == "true"
    assert parameters(started["mpc_controller"])["use_sim_time"] is sim_time
    if "simulator" in started:
        assert parameters(started["simulator"])["publish_clock"] is sim_time
    if "recorder" in started:
        assert parameters(started["recorder"])["use_sim_time"] is sim_time


def test_without_arguments_a_panda_with_the_nominal_model_is_simulated() -> None:
    started = nodes()
    controller, simulator = parameters(started["mpc_controller"]), parameters(started["simulator"])
    assert (controller["robot"], controller["model"], controller["task"]) == ("panda", "nominal", "circle")
    assert controller["autostart"] is True
    assert (simulator["robot"], simulator["plant"]) == ("panda", "payload_friction")


def test_the_recorder_is_the_first_to_start() -> None:
    assert next(iter(nodes(record="true"))) == "recorder"


def test_arguments_reach_the_nodes(tmp_path: Path) -> None:
    task = str(find_config("tasks", "rectangle"))
    given = {"robot": "fr3", "task": task, "plant_config": "ideal", "seed": "7", "real_time_factor": "0.5"}
    started = nodes(**given, use_sim_time="true", record="true", bag=str(tmp_path), model="my_model")
    controller, simulator = parameters(started["mpc_controller"]), parameters(started["simulator"])
    assert (controller["robot"], controller["model"], controller["task"]) == ("fr3", "my_model", task)
    assert (simulator["robot"], simulator["plant"], simulator["seed"]) == ("fr3", "ideal", 7)
    assert simulator["real_time_factor"] == 0.5
    assert parameters(started["recorder"])["output_folder"] == str(tmp_path)


def test_a_namespace_holds_every_node() -> None:
    started = nodes(namespace="left", record="true")
    assert {node._Node__node_namespace for node in started.values()} == {"left"}


def test_every_node_gets_the_values_of_its_own_file() -> None:
    started = nodes(record="true")
    controller = parameters(started["mpc_controller"])
    assert (controller["controller.rate"], controller["mpc.horizon"]) == (100.0, 20)
    assert parameters(started["simulator"])["rate"] == 500
    assert parameters(started["recorder"])["topics"] == ("",)


def test_a_parameter_file_of_the_user_comes_last_and_nothing_before_it_has_a_key_but_the_one_of_all_nodes(
    tmp_path: Path,
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("/**:\n  ros__parameters:\n    rate: 250\n", encoding="utf-8")
    for node in nodes(record="true", params_file=str(own)).values():
        before, last = evaluate_parameters(LaunchContext(), node._Node__parameters)
        assert isinstance(before, dict)
        assert last == own


@pytest.mark.parametrize("executable", ["mpc_controller", "simulator"])
def test_the_end_of_the_plant_or_the_controller_ends_everything(executable: str) -> None:
    on_exit = nodes()[executable]._ExecuteLocal__on_exit
    assert [type(action) for action in on_exit] == [Shutdown]


def test_the_end_of_the_recorder_leaves_the_arm_under_control() -> None:
    assert not nodes(record="true")["recorder"]._ExecuteLocal__on_exit


def test_rviz_shows_the_robot_that_is_controlled() -> None:
    pytest.importorskip("pinocchio", reason="the URDF is generated with pinocchio")
    started = nodes(rviz="true", robot="panda")
    assert set(started) == {"mpc_controller", "simulator", "robot_state_publisher", "rviz2"}
    assert '<robot name="panda"' in parameters(started["robot_state_publisher"])["robot_description"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"task": "spiral"}, "there is no task named 'spiral'; known: .*circle"),
        ({"robot": "ur5"}, "there is no robot named 'ur5'; known: .*panda"),
        ({"robot": "missing.urdf"}, "there is no file missing.urdf"),
        ({"plant_config": "moon"}, "there is no plant named 'moon'; known: .*ideal"),
        ({"params_file": "missing.yaml"}, "there is no file missing.yaml"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_starts(arguments: dict[str, str], problem: str) -> None:
    with pytest.raises(TtdmError, match=problem):
        nodes(**arguments)


@pytest.mark.parametrize("argument", ["plant", "record", "use_sim_time", "rviz"])
def test_a_value_that_is_no_choice_is_refused(argument: str) -> None:
    with pytest.raises(RuntimeError, match=f"{argument}.* is not valid. Valid options are"):
        nodes(**{argument: "perhaps"})


@pytest.mark.parametrize("argument", ["seed", "real_time_factor"])
def test_a_number_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument}:=fast is not a number"):
        nodes(**{argument: "fast"})


@pytest.mark.parametrize("file", ["simulator.launch.py", "record.launch.py"])
def test_the_small_files_work_alone(file: str) -> None:
    (node,) = nodes(file).values()
    assert isinstance(node, ExecuteLocal)
