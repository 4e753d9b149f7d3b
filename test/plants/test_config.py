"""Plant files are checked when they are read, and say what is wrong with them."""

from pathlib import Path
from typing import Any

import pytest

from ttdm_ros.config import parse
from ttdm_ros.errors import ConfigError
from ttdm_ros.paths import share_folder
from ttdm_ros.plants.config import Payload, PlantConfig, load_plant


def plant(**values: Any) -> PlantConfig:
    return parse(values, PlantConfig, "plant.yaml")


def test_every_plant_that_ships_can_be_read() -> None:
    names = {path.stem for path in (share_folder() / "config" / "plants").glob("*.yaml")}
    assert {"ideal", "payload_friction", "payload_1kg", "friction", "sloppy_actuators"} <= names
    for name in names:
        assert load_plant(name).step <= 1e-3


def test_the_ideal_plant_has_no_effects() -> None:
    assert load_plant("ideal") == PlantConfig()


def test_the_demo_carries_what_the_model_does_not_know() -> None:
    demo = load_plant("payload_friction")
    assert demo.payload is not None
    assert demo.payload.mass == 1.5
    assert any(demo.payload.com)
    assert demo.friction.stribeck is not None


def test_a_sphere_has_the_inertia_of_a_sphere() -> None:
    assert Payload(mass=2.0, radius=0.1).moments() == pytest.approx([0.4 * 2.0 * 0.01] * 3)


def test_an_inertia_that_is_given_comes_before_the_radius() -> None:
    assert Payload(mass=1.0, radius=0.1, inertia=(0.01, 0.02, 0.02)).moments() == (0.01, 0.02, 0.02)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stp": 0.001}, r"plant.yaml: key 'stp' is not known \(did you mean 'step'\?\)"),
        ({"step": 0.002}, r"'step': input should be less than or equal to 0.001 \(got 0.002\)"),
        ({"step": 0.0001234}, "step must be a whole number of microseconds, not 0.0001234 s"),
        ({"payload": {"mas": 1.0}}, r"key 'payload.mass' is missing; key 'payload.mas' is not known"),
        ({"payload": {"mass": -1.0}}, "'payload.mass': input should be greater than 0"),
        ({"payload": {"mass": 1.0, "inertia": [0.1, 0.1, 0.3]}}, "'payload': inertia must be positive, and no moment"),
        ({"friction": {"coulomb": [1.0] * 6}}, "'friction.coulomb': .* at least 7 items"),
        ({"friction": {"coulomb": [1.0] * 6 + [-1.0]}}, "'friction.coulomb.6': input should be greater than or equal"),
        (
            {"friction": {"viscous": [1.0] * 7, "viscous_scale": 1.0}},
            "'friction': give viscous_scale or viscous, not both",
        ),
        ({"actuator": {"delay": 0.0015}}, r"actuator.delay \(0.0015 s\) must be a multiple of step \(0.001 s\)"),
        ({"sensor": {"position_std": float("nan")}}, "'sensor.position_std': input should be a finite number"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plant(**values)


def test_a_malformed_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("step: 0.001\npayload: {mass: 1.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken.yaml, line 3: is not valid YAML"):
        load_plant(path)


def test_an_unknown_plant_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no plant named 'idael'; known: .*ideal"):
        load_plant("idael")


@pytest.mark.parametrize(("duration", "steps"), [(0.0, 0), (0.001, 1), (0.002, 2), (0.3, 300), (1.0, 1000)])
def test_durations_are_counted_in_steps(duration: float, steps: int) -> None:
    assert PlantConfig().steps(duration) == steps


@pytest.mark.parametrize("duration", [0.0015, -0.001, 1 / 300])
def test_a_duration_between_two_steps_is_refused(duration: float) -> None:
    with pytest.raises(ValueError, match=r"not a multiple of the plant's step of 0\.001 s"):
        PlantConfig().steps(duration)
