"""Package of type ament_python; also installs with pip."""

import re
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "ttdm_ros"
ROOT = Path(__file__).parent
(VERSION,) = re.findall(r'__version__ = "(.+)"', (ROOT / PACKAGE / "__init__.py").read_text(encoding="utf-8"))


def shared(*folders: str) -> list[tuple[str, list[str]]]:
    """List the files below some folders for ``share/ttdm_ros``, each in the folder it has here."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.setdefault(f"share/{PACKAGE}/{path.parent.as_posix()}", []).append(path.as_posix())
    return list(found.items())


setup(
    name=PACKAGE,
    version=VERSION,
    description="Task-tailored dynamics models for model predictive control: record, learn, run live",
    long_description="See README.md.",
    license="Apache-2.0",
    author="The ttdm_ros authors",
    maintainer="The ttdm_ros maintainers",
    maintainer_email="maintainers@example.org",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={
        f"{PACKAGE}.dynamics": ["csrc/*"],
        f"{PACKAGE}.mpc": ["csrc/*"],
        f"{PACKAGE}.mpc.sensitivity": ["csrc/*"],
        f"{PACKAGE}.plants.franka": ["csrc/*"],
        f"{PACKAGE}.evaluation": ["templates/*.html"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *shared("config", "launch", "models"),
    ],
    python_requires=">=3.11",
    # What pip can supply. ROS's own packages come from the ROS installation (package.xml) or from requirements.lock;
    # acados from its own folder, see docs/installation.md.
    install_requires=[
        "casadi",
        "jinja2",
        "lz4",
        "matplotlib",
        "mcap",
        "mujoco>=3",
        "numpy",
        "pin",
        "psutil",
        "pydantic>=2",
        "pyyaml",
        "rich",
        "rosbags>=0.10",
        "safetensors",
        "scipy",
        "setuptools",
        "torch",
        "zstandard",
    ],
    extras_require={
        "test": ["pytest", "pytest-timeout"],  # by this name colcon knows that pytest runs the tests
        "tensorboard": ["tensorboard"],
        "ray": ["ray"],
        "franka": ["aiofranka==0.9.*", "mujoco", "pylibfranka==0.21.*"],  # the FR3; a loop compiled for this libfranka
        "panda": ["panda-python==1.1.*"],  # the Panda (FER), with libfranka 0.9
    },
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "ttdm = ttdm_ros.cli:main",
            "mpc_controller = ttdm_ros.nodes.mpc_controller:main",
            "recorder = ttdm_ros.nodes.recorder:main",
            "simulator = ttdm_ros.nodes.simulator:main",
            "franka_driver = ttdm_ros.nodes.franka_driver:main",
            "holder = ttdm_ros.nodes.holder:main",
            "export_sensitivities = ttdm_ros.commands.executables:export_sensitivities",
            "trainer = ttdm_ros.commands.executables:trainer",
        ],
    },
)
