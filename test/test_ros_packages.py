"""What a ROS installation lacks is named, with the command that installs it."""

import os
from pathlib import Path

import pytest

from ttdm_ros.errors import ConfigError
from ttdm_ros.ros_packages import need


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two prefixes, with one package each."""
    for prefix, package in (("one", "ros_gz_sim"), ("two", "controller_manager")):
        marker = tmp_path / prefix / "share" / "ament_index" / "resource_index" / "packages" / package
        marker.parent.mkdir(parents=True)
        marker.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(str(tmp_path / name) for name in ("one", "two")))


@pytest.mark.usefixtures("installed")
def test_packages_of_any_prefix_are_found() -> None:
    need(["ros_gz_sim", "controller_manager"], "this")


@pytest.mark.usefixtures("installed")
def test_missing_ones_are_named_with_what_to_install() -> None:
    with pytest.raises(ConfigError) as caught:
        need(["ros_gz_sim", "ros_gz_bridge", "gz_ros2_control"], "plant:=gazebo")
    assert str(caught.value) == (
        "plant:=gazebo needs the ROS packages ros_gz_bridge, gz_ros2_control; install: sudo apt install "
        "ros-$ROS_DISTRO-ros-gz-bridge ros-$ROS_DISTRO-gz-ros2-control"
    )


def test_without_a_ros_installation_all_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    with pytest.raises(ConfigError, match="needs the ROS packages controller_manager;"):
        need(["controller_manager"], "plant:=ros2_control")
