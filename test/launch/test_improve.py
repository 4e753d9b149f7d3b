"""The launch file of the rounds, evaluated with launch's own machinery; nothing is started."""

import importlib.util
from argparse import Namespace

import pytest

pytest.importorskip(
    "launch_ros", reason="launch_ros cannot be imported: it comes with a ROS installation, not with pip"
)

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.utilities import perform_substitutions
from launch_ros.substitutions import ExecutableInPackage

from ttdm_ros.cli import build_parser
from ttdm_ros.errors import TtdmError
from ttdm_ros.paths import share_folder


def process(**arguments: str) -> ExecuteProcess:
    spec = importlib.util.spec_from_file_location("improve_launch", share_folder() / "launch" / "improve.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    found = []
    for entity in module.generate_launch_description().entities:
        assert isinstance(entity, DeclareLaunchArgument | OpaqueFunction)
        found += entity.visit(context) or []
    (made,) = found
    assert isinstance(made, ExecuteProcess)
    return made


def command(**arguments: str) -> Namespace:
    context = LaunchContext()
    (program,), *parts = process(**arguments).cmd
    assert isinstance(program, ExecutableInPackage)
    names = [perform_substitutions(context, name) for name in (program.package, program.executable)]
    assert names == ["ttdm_ros", "ttdm"]  # the workspace's own Python runs it
    return build_parser().parse_args([perform_substitutions(context, part) for part in parts])


def test_without_arguments_a_simulated_panda_is_improved_on_a_circle() -> None:
    given = command()
    assert (given.robot, given.task, given.plant, given.model) == ("panda", ["circle"], "payload_friction", "nominal")
    assert (given.rounds, str(given.output), given.plant_running) == (3, "improve_output", False)


def test_arguments_reach_the_command() -> None:
    given = command(robot="fr3", task="circle, sines", plant_config="ideal", rounds="5", output="/tmp/rounds")
    assert (given.robot, given.task, given.plant) == ("fr3", ["circle", "sines"], "ideal")
    assert (given.rounds, str(given.output)) == (5, "/tmp/rounds")


def test_an_arm_that_is_up_already_is_not_simulated() -> None:
    given = command(plant="none")
    assert (given.plant_running, given.use_sim_time, given.params_file) == (True, False, None)


def test_parameters_and_simulated_time_reach_the_command() -> None:
    given = command(plant="none", params_file="own.yaml", use_sim_time="true")
    assert (given.plant_running, given.use_sim_time, str(given.params_file)) == (True, True, "own.yaml")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"task": "spiral"}, "there is no task named 'spiral'"),
        ({"robot": "ur5"}, "there is no robot named 'ur5'"),
        ({"plant_config": "moon"}, "there is no plant named 'moon'"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_starts(arguments: dict[str, str], problem: str) -> None:
    with pytest.raises(TtdmError, match=problem):
        process(**arguments)
