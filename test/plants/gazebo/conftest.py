"""Gazebo's own parser, and arms to give to it."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from ttdm_ros.systems.arm import Arm, load_arm

IIWA = Path(__file__).parents[2] / "systems" / "data" / "iiwa14.urdf"


class SdfParser:
    """``ign sdf``, for which unknown elements are errors: by itself it notes them in a log in its home folder only.

    Whatever is wrong with a file is a ValueError.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def check(self, path: Path) -> None:
        """Refuse a world, a model or a URDF; of a URDF also what becomes of it in Gazebo."""
        self._run("-k", path)
        if path.suffix == ".urdf":
            converted = path.with_suffix(".converted.sdf")
            converted.write_text(self._run("-p", path), encoding="utf-8")
            self._run("-k", converted)

    def converted(self, path: Path) -> Element:
        """Return the <model> that Gazebo makes of a URDF."""
        model = ElementTree.fromstring(self._run("-p", path)).find("model")
        assert model is not None
        return model

    def _run(self, option: str, path: Path) -> str:
        log = self._home / ".sdformat" / "sdformat.log"
        log.unlink(missing_ok=True)
        done = subprocess.run(
            ["ign", "sdf", option, str(path)],
            env=os.environ | {"HOME": str(self._home)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise ValueError(f"{path.name}: {done.stderr}{done.stdout}")
        text = log.read_text(encoding="utf-8") if log.is_file() else ""
        if unknown := re.findall(r"XML (?:Element|Attribute)\[(\w+)\].*not defined in SDF", text):
            raise ValueError(f"{path.name}: not defined in SDF: {', '.join(unknown)}")
        return done.stdout


@pytest.fixture
def parser(tmp_path: Path) -> SdfParser:
    if shutil.which("ign") is None:
        pytest.skip("ign is not installed: apt-get install --no-install-recommends libsdformat-dev ignition-tools")
    home = tmp_path / "home"
    home.mkdir()
    return SdfParser(home)


@pytest.fixture(scope="session", params=["panda", "fr3", "iiwa14"])
def arm(request: pytest.FixtureRequest) -> Arm:
    """Both arms that ship, and one of another make as a URDF."""
    if request.param == "iiwa14":
        return load_arm(IIWA, base_frame="iiwa_base", tip_frame="tcp")
    return load_arm(request.param)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
