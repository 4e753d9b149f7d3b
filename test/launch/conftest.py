"""Launch files, evaluated with launch's own machinery; nothing is started."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ttdm_ros.paths import share_folder

LAUNCH = share_folder() / "launch"
# Stands for ros_gz_sim's own file; it starts one process with what it was given.
_GZ_SIM = """
from launch import LaunchDescription
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node


def gz(context):
    given = [LaunchConfiguration(name).perform(context) for name in ("gz_args", "on_exit_shutdown")]
    return [Node(package="ros_gz_sim", executable="gz", arguments=given)]


def generate_launch_description():
    return LaunchDescription([OpaqueFunction(function=gz)])
"""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), LAUNCH / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def describe() -> Callable[[str], Any]:
    """Return the launch description of a file."""
    return lambda file: load(file).generate_launch_description()


@pytest.fixture
def visit() -> Callable[..., Iterator[tuple[Any, str]]]:
    """Walk through what launch would do, in order; yield what it would start and after the end of what."""
    from launch import LaunchContext, LaunchDescription
    from launch.actions import (
        DeclareLaunchArgument,
        IncludeLaunchDescription,
        LogInfo,
        OpaqueFunction,
        RegisterEventHandler,
        Shutdown,
    )
    from launch_ros.actions import Node

    def walk(entities: Any, context: LaunchContext, after: str, returncode: int) -> Iterator[tuple[Any, str]]:
        entities = entities if isinstance(entities, list | tuple) else [] if entities is None else [entities]
        started: list[Node] = []
        for entity in entities:
            if isinstance(entity, Node | Shutdown | LogInfo):
                yield entity, after
                started += [entity] if isinstance(entity, Node) else []
            elif isinstance(entity, LaunchDescription):
                yield from walk(entity.entities, context, after, returncode)
            elif isinstance(entity, DeclareLaunchArgument | OpaqueFunction | IncludeLaunchDescription):
                yield from walk(entity.visit(context), context, after, returncode)
            elif isinstance(entity, RegisterEventHandler):
                handler = entity.event_handler
                matcher = handler._OnActionEventBase__action_matcher
                target = matcher.node_executable if isinstance(matcher, Node) else "spawner"
                event = SimpleNamespace(returncode=returncode, action=None)
                yield from walk(handler.handle(event, context), context, target, returncode)
            else:
                entity.visit(context)

    def visit(file: str, returncode: int = 0, **arguments: str) -> Iterator[tuple[Any, str]]:
        context = LaunchContext()
        context.launch_configurations.update(arguments)
        yield from walk(load(file).generate_launch_description().entities, context, "", returncode)

    return visit


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make ROS packages known that are not there, ``ros_gz_sim`` with a file to include."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def install(*packages: str) -> None:
        share = tmp_path / "ros" / "share"
        index = share / "ament_index" / "resource_index" / "packages"
        index.mkdir(parents=True, exist_ok=True)
        for package in packages:
            (index / package).touch()
            (share / package / "launch").mkdir(parents=True, exist_ok=True)
        (share / "ros_gz_sim" / "launch").mkdir(parents=True, exist_ok=True)
        (share / "ros_gz_sim" / "launch" / "gz_sim.launch.py").write_text(_GZ_SIM, encoding="utf-8")
        before = os.environ.get("AMENT_PREFIX_PATH", "")
        monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(filter(None, (str(share.parent), before))))

    return install
