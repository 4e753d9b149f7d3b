"""Exports on a Ray cluster, by a stand-in for Ray: the same bytes, and a sentence where something is missing."""

import pickle
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import SensitivityError, SolverError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.training import export as export_module
from ttdm_ros.training import ray_tasks
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.export import ExportSettings, export
from ttdm_ros.training.ray_tasks import ray_results

pytestmark = pytest.mark.timeout(400)  # the first run on a machine compiles

SAMPLING = SamplingConfig(spacing=5)


class FakeRay(ModuleType):
    """Runs tasks where they are waited for, the youngest first; what they get and give is pickled as in a cluster."""

    class RayError(Exception):
        cause: Exception | None = None

    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = SimpleNamespace(RayError=self.RayError)
        self.log: list[str] = []
        self.most_pending, self.cancelled = 0, 0
        self._pending: dict[int, Any] = {}
        self._stored: list[bytes] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, **options: Any) -> None:
        self.log.append(f"init {options['address']}")

    def shutdown(self) -> None:
        self.log.append("shutdown")

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def put(self, value: Any) -> Any:
        return SimpleNamespace(stored=pickle.dumps(value))

    def remote(self, **options: Any) -> Any:
        def decorate(function: Any) -> Any:
            def submit(reference: Any, *arguments: Any) -> int:
                self._stored.append(pickle.dumps((function, arguments)))
                number = len(self._stored) - 1
                self._pending[number] = reference
                self.most_pending = max(self.most_pending, len(self._pending))
                return number

            return SimpleNamespace(remote=submit)

        return decorate

    def wait(self, pending: list[int], num_returns: int) -> tuple[list[int], list[int]]:
        return pending[-num_returns:], pending[:-num_returns]

    def get(self, number: int) -> Any:
        reference = self._pending.pop(number)
        function, arguments = pickle.loads(self._stored[number])
        try:
            return pickle.loads(pickle.dumps(function(pickle.loads(reference.stored), *arguments)))
        except Exception as error:
            told = self.RayError(f"\nTraceback of {error}")
            told.cause = error
            raise told from error

    def cancel(self, number: int) -> None:
        self.cancelled += 1


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


@pytest.fixture
def settings(panda: Any) -> ExportSettings:
    model = PredictionModel.nominal(ModelSpecification(hidden=(8,)))
    return ExportSettings(arm=panda, model=model, p=3, sampling=SAMPLING, mpc=MpcConfig(horizon=8))


def add(shared: int, item: int) -> int:
    return shared + item


def fail_at_three(shared: int, item: int) -> int:
    if item == 3:
        raise SolverError("acados was not found; set ACADOS_SOURCE_DIR")
    return item


def break_down(shared: int, item: int) -> int:
    raise ValueError("no such thing")


def test_a_cluster_finds_the_same_bytes_as_processes(ray, settings, panda, motion, mcap, tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "CHUNK", 20)
    bag = read_bag_data(mcap(motion.messages()), panda, SAMPLING)
    looks = []
    export([bag], settings, tmp_path / "here", jobs=1)
    export([bag], settings, tmp_path / "ray", executor="ray", on_progress=looks.append)
    here, there = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "here", tmp_path / "ray")
    )
    assert here == there
    assert sum(path.name.startswith("chunk_") for path in here) > 2
    assert looks[-1].done == looks[-1].total == looks[-1].solved
    assert ray.log == ["init auto", "shutdown"]


def test_no_more_tasks_wait_than_keep_the_cluster_busy(ray: FakeRay) -> None:
    items = [(i,) for i in range(20)]
    assert sorted(ray_results(add, 100, items)) == [(i, 100 + i) for i in range(20)]
    assert ray.most_pending == 4
    assert sorted(ray_results(add, 0, items, limit=3)) == [(i, i) for i in range(20)]


def test_a_sentence_of_a_task_is_passed_on_and_the_others_are_cancelled(ray: FakeRay) -> None:
    with pytest.raises(SolverError, match="acados was not found"):
        list(ray_results(fail_at_three, 0, [(i,) for i in range(20)]))
    assert ray.cancelled == 3
    assert ray.log[-1] == "shutdown"


def test_any_other_failure_of_a_task_is_told_in_a_sentence(ray: FakeRay) -> None:
    with pytest.raises(SensitivityError, match=r"a task on the Ray cluster failed \(no such thing\); start the same"):
        list(ray_results(break_down, 0, [(1,)]))


def test_without_a_cluster_the_error_says_how_to_start_one(ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**options: Any) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nMore words")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(SensitivityError, match=r"Could not find any running Ray instance.*`ray start --head`"):
        list(ray_results(add, 0, [(1,)]))


def test_without_ray_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SensitivityError, match="pip install ray"):
        list(ray_tasks.ray_results(add, 0, [(1,)]))


def test_both_commands_know_the_executor() -> None:
    from ttdm_ros.cli import build_parser

    for arguments in (["sensitivities", "bag", "--out", "out"], ["train", "bag"]):
        assert build_parser().parse_args(arguments).executor == "processes"
        assert build_parser().parse_args([*arguments, "--executor", "ray"]).executor == "ray"
