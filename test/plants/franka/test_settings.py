"""Settings are checked where they enter, and one driver holds an address."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ttdm_ros.config import parse
from ttdm_ros.errors import ConfigError
from ttdm_ros.paths import share_folder
from ttdm_ros.plants.franka.address_lock import AddressLock
from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.connection import _PACKAGES, connect
from ttdm_ros.plants.franka.kind import Kind
from ttdm_ros.plants.franka.law import LawBlock
from ttdm_ros.plants.franka.link import LinkError

INERTIA = [0.01, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.01]


def settings(**given: object) -> FrankaSettings:
    return parse(given, FrankaSettings, "parameters of franka_driver")


def test_the_shipped_file_has_every_setting_at_its_default() -> None:
    text = (share_folder() / "config" / "franka_driver.yaml").read_text(encoding="utf-8")
    given = yaml.safe_load(text)["/**/franka_driver"]["ros__parameters"]
    nodes_own = {"kind", "robot", "rate", "detail_rate", "diagnostics_rate"}
    assert settings(**{key: value for key, value in given.items() if key not in nodes_own}) == FrankaSettings()
    assert set(given) - nodes_own == set(FrankaSettings.model_fields)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"guard": {"torque_rate": 1001.0}}, "guard.torque_rate"),
        ({"guard": {"timeout": 0.2, "pause": 0.1}}, "pause .0.1 s. must be longer than timeout"),
        ({"guard": {"stiffness": [600.0] * 6}}, "guard.stiffness"),
        ({"guard": {"damping": [-1.0] * 7}}, "guard.damping"),
        ({"collision": {"lower_torque": [30.0] * 7}}, "lower_torque may be above the one of upper_torque"),
        ({"collision": {"upper_force": [1.0] * 6}}, "lower_force may be above the one of upper_force"),
        ({"load": {"mass": 1.0}}, "a mass needs an inertia"),
        ({"load": {"mass": 1.0, "inertia": [*INERTIA[:1], 0.1, *INERTIA[2:]]}}, "must be symmetric"),
        ({"load": {"mass": float("nan")}}, "load.mass"),
        ({"realtime_priority": 100}, "realtime_priority"),
        ({"guard": {"timeot": 0.05}}, "did you mean 'timeout'"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(given: dict, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        settings(**given)


def test_a_load_with_its_inertia_is_taken() -> None:
    assert settings(load={"mass": 1.0, "inertia": INERTIA}).load.mass == 1.0


def test_settings_reach_the_laws_block() -> None:
    guard = settings(guard={"timeout": 0.03, "torque_rate": 500.0, "torque_share": 0.5}).guard
    block = LawBlock(guard, np.array([87.0] * 4 + [12.0] * 3)).values
    assert block[512] == 0.03
    np.testing.assert_array_equal(block[-14:], [43.5] * 4 + [6.0] * 3 + [500.0] * 7)


def test_a_second_driver_of_the_same_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = AddressLock("172.16.0.2")
    AddressLock("172.16.0.3")
    with pytest.raises(LinkError, match=r"another franka_driver on this machine holds the robot at 172.16.0.2"):
        AddressLock("172.16.0.2")
    del first
    AddressLock("172.16.0.2")


@pytest.mark.parametrize(
    ("kind", "ros", "advice"),
    [
        ("fr3", None, r"pylibfranka .* is not installed here; set it up with make franka"),
        (
            "fr3",
            "jazzy",
            r"pip install 'aiofranka==.*' 'pylibfranka==.*' for a Python {}, as ROS jazzy has, .*driver_python",
        ),
        ("panda", None, r"panda_py .*here; if the arm is an FR3, launch with robot:=fr3, .* requirements-panda.lock"),
        ("panda", "jazzy", r"robot:=fr3, .* pip install 'panda-python==.*' for a Python {}, as ROS jazzy has"),
    ],
)
def test_without_the_robots_library_the_driver_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, ros: str | None, advice: str
) -> None:
    if ros is None:
        monkeypatch.delenv("ROS_DISTRO", raising=False)
    else:
        monkeypatch.setenv("ROS_DISTRO", ros)
    for name in ("pylibfranka", "panda_py"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"ttdm_ros.plants.franka.{kind}_link", raising=False)
    with pytest.raises(LinkError, match=advice.format(".".join(map(str, sys.version_info[:2])))) as caught:
        connect(kind, FrankaSettings())
    assert ("make franka" in str(caught.value)) == (kind == "fr3" and ros is None)


def test_the_versions_that_the_driver_names_are_those_that_were_tested() -> None:
    for kind, packages in _PACKAGES.items():
        required = (share_folder() / f"requirements-{'franka' if kind == 'fr3' else kind}.in").read_text(
            encoding="utf-8"
        )
        assert set(packages.replace("'", "").split()) <= set(required.splitlines())
