"""The package as ROS and pip see it: manifest, entry points, shared files, and a build with colcon."""

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ElementTree
from email.utils import parseaddr
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import ttdm_ros

ROOT = Path(__file__).resolve().parents[1]

# What is imported under another name than it is declared by.
ROSDEP_KEYS = {
    "casadi": "casadi-pip",
    "jinja2": "python3-jinja2",
    "matplotlib": "python3-matplotlib",
    "mujoco": "python3-mujoco-pip",
    "numpy": "python3-numpy",
    "psutil": "python3-psutil",
    "pydantic": "python3-pydantic",
    "rich": "python3-rich",
    "rosbags": "python3-rosbags-pip",
    "scipy": "python3-scipy",
    "torch": "python3-torch",
    "yaml": "python3-yaml",
}
WITHOUT_ROSDEP_KEY = {"acados_template", "lz4", "mcap", "safetensors", "zstandard"}
PIP_NAMES = {"pinocchio": "pin", "yaml": "pyyaml"}
BY_HAND = {"acados_template"}  # a folder of the environment, see docs/installation.md
OPTIONAL = {"ament_index_python", "ray", "aiofranka", "franka_sim", "panda_py", "pylibfranka"}


@cache
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


@cache
def setup_arguments() -> dict[str, Any]:
    """Run setup.py with a ``setup`` that only remembers what it was given."""
    spec = importlib.util.spec_from_file_location("ttdm_setup", ROOT / "setup.py")
    with patch("setuptools.setup") as setup, pytest.MonkeyPatch.context() as patches:
        patches.chdir(ROOT)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return dict(setup.call_args.kwargs)


def imported_packages(*folders: str) -> set[str]:
    """Return the top-level packages that the code imports anywhere, without Python's own and this one."""
    names = set()
    for path in (p for folder in folders for p in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"ttdm_ros"} - OPTIONAL


def is_ros_package(name: str) -> bool:
    return name in {"rclpy", "launch", "launch_ros"} or name.endswith(("_msgs", "_srvs", "_interfaces"))


def requirement_names(lines: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines)
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_the_manifest_has_what_ros_tools_require() -> None:
    root = manifest()
    assert root.tag == "package"
    assert root.get("format") == "3"
    assert root.findtext("name") == "ttdm_ros"
    assert root.findtext("license") == "Apache-2.0"
    assert (ROOT / root.find("license").get("file")).is_file()
    assert root.findtext("export/build_type") == "ament_python"
    for maintainer in root.findall("maintainer"):
        address = maintainer.get("email")
        assert parseaddr(address)[1] == address
        assert re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", address), "colcon ignores a manifest with a malformed address"


def test_the_manifest_is_accepted_by_the_parser_of_the_ros_tools() -> None:
    catkin_pkg = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg is not installed")
    warnings: list[str] = []
    package = catkin_pkg.parse_package(str(ROOT), warnings=warnings)
    package.validate(warnings=warnings)
    assert warnings == []


def test_all_files_tell_the_same_version() -> None:
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    versions = {manifest().findtext("version"), setup_arguments()["version"], citation[1]}
    assert versions == {ttdm_ros.__version__}


def test_what_the_code_imports_is_declared_to_rosdep() -> None:
    declared = {element.text for element in manifest().iter("exec_depend")}
    needed = {ROSDEP_KEYS.get(name, name) for name in imported_packages("ttdm_ros", "launch") - WITHOUT_ROSDEP_KEY}
    assert needed - declared == set()


def test_what_the_code_imports_is_declared_to_pip() -> None:
    needed = {PIP_NAMES.get(name, name) for name in imported_packages("ttdm_ros") if not is_ros_package(name)}
    needed -= BY_HAND
    assert needed - requirement_names(setup_arguments()["install_requires"]) == set()


def test_what_rosdep_cannot_supply_is_skipped_and_comes_with_the_workspaces_set_up() -> None:
    page, jobs = (
        set(re.search(r'--skip-keys "(.+)"', (ROOT / file).read_text(encoding="utf-8"))[1].split())
        for file in ("docs/installation.md", ".github/workflows/ci.yml")
    )
    script = (ROOT / "tools" / "setup_ros_workspace.sh").read_text(encoding="utf-8")
    keys = {key for key in ROSDEP_KEYS.values() if key.endswith("-pip")}
    keys.add("python3-torch")  # has a key, but Ubuntu 24.04 has no such package
    assert page == keys
    assert jobs >= keys
    for name in (name for name, key in ROSDEP_KEYS.items() if key in keys):
        assert re.search(rf'[" ]{name}\b', script), name


def test_the_page_has_ros_sourced_before_rosdep_looks_names_up_in_its_distribution() -> None:
    page = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    commands = (
        "python3-rosdep python3-colcon-common-extensions",
        "source /opt/ros/",
        "rosdep update",
        "rosdep install",
    )
    places = [page.index(command) for command in (*commands, "setup_ros_workspace.sh", "colcon build")]
    assert places == sorted(places)


def test_no_file_of_code_is_longer_than_the_contributors_are_told() -> None:
    told = re.search(r"code never more than (\d+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    files = [path for folder in ("ttdm_ros", "launch", "tools") for path in (ROOT / folder).rglob("*.py")]
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert [str(path) for path, length in lengths.items() if length > int(told[1])] == []


def test_the_lock_pins_everything_that_is_required() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lock if line and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    wanted = requirement_names((ROOT / "requirements.in").read_text(encoding="utf-8").splitlines())
    wanted |= requirement_names(setup_arguments()["install_requires"])
    assert wanted - requirement_names(pins) == set()


def test_the_franka_drivers_lock_pins_what_its_extra_asks_for_and_the_driver_imports() -> None:
    pinned = requirement_names((ROOT / "requirements-franka.lock").read_text(encoding="utf-8").splitlines())
    extra = requirement_names(setup_arguments()["extras_require"]["franka"])
    wanted = requirement_names((ROOT / "requirements-franka.in").read_text(encoding="utf-8").splitlines())
    assert {"aiofranka", "pylibfranka"} <= extra
    assert (extra | wanted) - pinned == set()
    simulator = (ROOT / "requirements-franka-sim.lock").read_text(encoding="utf-8")
    assert "franka-sim==" in simulator


@pytest.mark.parametrize("entry", setup_arguments()["entry_points"]["console_scripts"])
def test_every_executable_has_a_function_to_call(entry: str) -> None:
    module, function = entry.split(" = ")[1].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_every_folder_with_code_is_packaged() -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "ttdm_ros").rglob("*.py")}
    assert {".".join(folder.parts) for folder in folders} == set(setup_arguments()["packages"])


def test_every_shared_file_is_installed_in_the_folder_it_has_here() -> None:
    installed = {f"{folder}/{Path(file).name}" for folder, files in setup_arguments()["data_files"] for file in files}
    expected = {
        f"share/ttdm_ros/{path.relative_to(ROOT).as_posix()}"
        for folder in ("config", "launch", "models")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected
    assert installed == expected | {
        "share/ament_index/resource_index/packages/ttdm_ros",
        "share/ttdm_ros/package.xml",
    }


def test_every_c_source_is_installed() -> None:
    patterns = setup_arguments()["package_data"]["ttdm_ros.mpc"]
    folder = ROOT / "ttdm_ros" / "mpc"
    kept = {path for pattern in patterns for path in folder.glob(pattern)}
    assert {path for path in (folder / "csrc").rglob("*") if path.is_file()} == kept


def test_cleaning_up_leaves_what_was_driven_and_trained() -> None:
    recipe = re.search(r"^clean:.*\n((?:\t.*\n?)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "$(VENV)" in recipe[1]
    assert "output" not in recipe[1]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which colcon has built the package, with this Python."""
    for module in ("colcon_core", "colcon_ros", "colcon_test_result"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed in the Python that runs the tests")
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "src").mkdir()
    (folder / "src" / "ttdm_ros").symlink_to(ROOT)
    built = colcon(folder, "build")
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def colcon(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = ("PYTHONPATH", "AMENT_PREFIX_PATH", "PYTEST_")  # neither another workspace nor this test run
    environment = {key: value for key, value in os.environ.items() if not key.startswith(inherited)}
    environment |= {"COLCON_HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "colcon", "--log-base", str(folder / "log"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)


def test_a_build_with_colcon_puts_executables_and_files_where_ros_looks_for_them(workspace: Path) -> None:
    prefix = workspace / "install" / "ttdm_ros"
    executables = {path.name for path in (prefix / "lib" / "ttdm_ros").iterdir() if os.access(path, os.X_OK)}
    assert executables == {entry.split(" = ")[0] for entry in setup_arguments()["entry_points"]["console_scripts"]}
    assert (prefix / "share/ament_index/resource_index/packages/ttdm_ros").is_file()
    assert (prefix / "share/ttdm_ros/package.xml").is_file()
    assert (prefix / "share/ttdm_ros/hook/ament_prefix_path.sh").is_file(), "colcon did not take it for a ROS package"
    assert (prefix / "share/ttdm_ros/launch/panda_mpc.launch.py").is_file()


def test_the_installed_package_finds_its_own_files(workspace: Path) -> None:
    prefix = workspace / "install" / "ttdm_ros"
    library = Path(sysconfig.get_path("purelib", vars={"base": str(prefix)}))
    environment = os.environ | {"AMENT_PREFIX_PATH": str(prefix), "PYTHONPATH": str(library)}
    program = "from ttdm_ros.paths import find_config, share_folder; print(find_config('plants', 'ideal'))"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=workspace, env=environment, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.strip() == str(prefix / "share/ttdm_ros/config/plants/ideal.yaml"), found.stderr


def test_colcon_test_runs_the_tests_of_the_package(workspace: Path) -> None:
    chosen = ("--pytest-args", "test/test_yaml_text.py")
    tested = colcon(workspace, "test", "--return-code-on-test-failure", *chosen)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    result = colcon(workspace, "test-result").stdout
    counts = re.search(r"(\d+) tests, (\d+) errors, (\d+) failures", result)
    assert counts is not None, result
    assert int(counts[1]) > 0
    assert (counts[2], counts[3]) == ("0", "0")
