"""Exports of sensitivities: the same whatever the number of processes, resumable, and never taken for another's."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import SensitivityError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.training import export as export_module
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.chunk_work import make_differentiator
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.export import ExportSettings, export
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.sensitivity_file import ChunkFile, summary
from ttdm_ros.training.sensitivity_info import describe
from ttdm_ros.training.sensitivity_manifest import check, read_entries, read_manifest, write_manifest

pytestmark = pytest.mark.timeout(400)  # the first run on a machine compiles

P = 3
SAMPLING = SamplingConfig(spacing=5)
SPECIFICATION = ModelSpecification(hidden=(8,))


@pytest.fixture
def settings(panda):
    return ExportSettings(
        arm=panda, model=PredictionModel.nominal(SPECIFICATION), p=P, sampling=SAMPLING, mpc=MpcConfig(horizon=8)
    )


@pytest.fixture
def bag(panda, motion, mcap):
    return read_bag_data(mcap(motion.messages()), panda, SAMPLING)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(export_module, "CHUNK", 20)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.glob("*/chunk_*"))}


def replaced(settings, **changes):
    values = {name: getattr(settings, name) for name in ("arm", "model", "p", "sampling", "mpc", "hessian")}
    return ExportSettings(**(values | changes))


def test_two_processes_find_what_one_does(settings, bag, tmp_path):
    looks = []
    one = export([bag], settings, tmp_path / "one", jobs=1, on_progress=looks.append)
    two = export([bag], settings, tmp_path / "two", jobs=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert one.good.all()
    np.testing.assert_array_equal(one.g, two.g)
    assert [look.done for look in looks] == sorted(look.done for look in looks)
    assert looks[0].done == 0
    assert looks[-1].done == looks[-1].total == looks[-1].solved == len(one.good)
    assert looks[-1].seconds_left == 0.0


def test_what_is_read_is_what_was_worked_out(settings, bag, tmp_path):
    kept = export([bag], settings, tmp_path / "out", jobs=1)
    fresh = make_differentiator(settings)
    (trajectory,) = bag.trajectories
    (starts,) = settings.starts(bag.trajectories)
    chosen = starts[20:40]  # one chunk: each begins cold
    again = fresh.samples(trajectory, chosen, P)
    np.testing.assert_allclose(kept.g[20:40], again.g, rtol=1e-6, atol=1e-6 * np.abs(again.g).max())
    np.testing.assert_allclose(kept.value_gradient[20:40], again.value_gradient, rtol=1e-5, atol=1e-5)


def test_an_export_that_was_left_goes_on_where_it_was(settings, bag, tmp_path):
    whole = export([bag], settings, tmp_path / "whole", jobs=1)

    class LeftError(Exception):
        pass

    def leave(progress):
        if progress.done >= 40:
            raise LeftError

    out = tmp_path / "out"
    with pytest.raises(LeftError):
        export([bag], settings, out, jobs=1, on_progress=leave)
    times = {path: path.stat().st_mtime_ns for path in out.glob("*/chunk_*")}
    assert len(times) == 2
    looks = []
    resumed = export([bag], settings, out, jobs=1, on_progress=looks.append)
    assert looks[0].done == 40
    np.testing.assert_array_equal(resumed.g, whole.g)
    assert all(path.stat().st_mtime_ns == at for path, at in times.items())


def test_an_export_that_was_killed_goes_on_where_it_was(settings, bag, tmp_path, motion, mcap):
    out, path = tmp_path / "out", bag.path
    program = f"""
from pathlib import Path
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.training import export as module
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.config import SamplingConfig
module.CHUNK = 20
arm, sampling = load_arm("panda"), SamplingConfig(spacing=5)
model = PredictionModel.nominal(ModelSpecification(hidden=(8,)))
settings = module.ExportSettings(arm=arm, model=model, p={P}, sampling=sampling, mpc=MpcConfig(horizon=8))
data = read_bag_data(Path({str(path)!r}), arm, sampling)
def pause(progress):
    print(progress.done, flush=True)
    if progress.done >= 20:
        input()
module.export([data], settings, Path({str(out)!r}), jobs=1, on_progress=pause)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    while process.stdout.readline().strip() != b"20":
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    looks = []
    resumed = export([bag], settings, out, jobs=1, on_progress=looks.append)
    assert looks[0].done == 20
    np.testing.assert_array_equal(resumed.g, export([bag], settings, tmp_path / "whole", jobs=1).g)


def test_a_damaged_chunk_is_made_again(settings, bag, tmp_path):
    out = tmp_path / "out"
    whole = export([bag], settings, out, jobs=1)
    chunk = out / bag.fingerprint / "chunk_00001.safetensors"
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(SensitivityError, match="damaged"):
        summary(out)
    np.testing.assert_array_equal(export([bag], settings, out, jobs=1).g, whole.g)


def test_sensitivities_of_something_else_are_refused_with_the_difference(settings, bag, tmp_path):
    out = tmp_path / "out"
    export([bag], settings, out, jobs=1)
    before = files(out)
    other_model = PredictionModel.random(SPECIFICATION, seed=1, scale=0.1, name="learned")
    changes = {
        "learned": replaced(settings, model=other_model),
        "hessian exact, not gauss_newton": replaced(settings, hessian="gauss_newton"),
        "p 3, not 2": replaced(settings, p=2),
        "mpc.torque_weight 0.01, not 0.5": replaced(settings, mpc=MpcConfig(horizon=8, torque_weight=0.5)),
        "spacing 5, not 6": replaced(settings, sampling=SamplingConfig(spacing=6)),
    }
    for told, wanted in changes.items():
        with pytest.raises(SensitivityError, match=r"choose another folder, or remove this one") as caught:
            export([bag], wanted, out, jobs=1)
        assert told in str(caught.value)
    assert files(out) == before
    check(out, settings.manifest)


@pytest.fixture
def other_bag(panda, motion, mcap):
    rows = motion.messages()
    return read_bag_data(mcap(rows[: len(rows) - 900], "other"), panda, SAMPLING)


def test_of_further_bags_only_the_new_ones_are_worked_out(settings, bag, other_bag, tmp_path):
    out = tmp_path / "out"
    one = export([bag], settings, out, jobs=1)
    times = {path: path.stat().st_mtime_ns for path in out.glob("*/chunk_*")}
    looks = []
    both = export([other_bag, bag, other_bag], settings, out, jobs=1, on_progress=looks.append)
    assert (looks[0].done, looks[-1].done) == (len(one.good), looks[-1].total)
    assert all(path.stat().st_mtime_ns == at for path, at in times.items())
    new = looks[-1].total - looks[0].done
    assert len(both.good) == 2 * new + len(one.good)
    np.testing.assert_array_equal(both.g[new:-new], one.g)
    alone = export([other_bag], settings, tmp_path / "alone", jobs=1)
    np.testing.assert_array_equal(both.g[:new], alone.g)
    np.testing.assert_array_equal(both.g[-new:], alone.g)
    assert sorted(entry.fingerprint for entry in read_entries(out)) == sorted([bag.fingerprint, other_bag.fingerprint])


def test_numbers_of_one_bag_are_not_taken_for_anothers(settings, bag, other_bag, tmp_path):
    out = tmp_path / "out"
    export([bag], settings, out, jobs=1)
    (out / bag.fingerprint).rename(out / other_bag.fingerprint)
    with pytest.raises(SensitivityError, match=rf"of the bag {bag.fingerprint}.*remove it and export again"):
        export([other_bag], settings, out, jobs=1)
    (out / other_bag.fingerprint / "bag.json").write_text("{")
    with pytest.raises(SensitivityError, match=r"bag.json is damaged; remove"):
        export([other_bag], settings, out, jobs=1)


def test_a_folder_of_an_earlier_format_is_refused(settings, bag, tmp_path):
    out = tmp_path / "out"
    export([bag], settings, out, jobs=1)
    content = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(content | {"format": 1, "bags": []}))
    with pytest.raises(SensitivityError, match="another version of this package; remove the folder"):
        export([bag], settings, out, jobs=1)


def test_a_moved_bag_is_still_the_same(settings, bag, tmp_path, panda, motion, sqlite):
    out = tmp_path / "out"
    export([bag], settings, out, jobs=1)
    copy = read_bag_data(sqlite(motion.messages()), panda, SAMPLING)
    looks = []
    export([copy], settings, out, jobs=1, on_progress=looks.append)
    assert looks[0].done == looks[0].total


def test_a_folder_with_other_files_is_left_alone(settings, bag, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SensitivityError, match="holds other files"):
        export([bag], settings, tmp_path, jobs=1)


def test_a_manifest_that_another_process_is_writing_is_no_other_file(settings, tmp_path):
    """Of one that was killed meanwhile, too: its file would stand in the way for ever."""
    (tmp_path / ".manifest.json.123.tmp").write_text("{")
    write_manifest(tmp_path, settings.manifest)
    assert read_manifest(tmp_path) == settings.manifest
    with pytest.raises(SensitivityError, match=f"p {P}, not {P + 1}"):
        write_manifest(tmp_path, replaced(settings, p=P + 1).manifest)


def test_a_folder_without_sensitivities_says_so(tmp_path):
    with pytest.raises(SensitivityError, match="holds no sensitivities; export some"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(SensitivityError, match="damaged"):
        read_manifest(tmp_path)


def test_samples_that_were_not_solved_are_kept_out_and_counted(tmp_path):
    random, good = np.random.default_rng(0), np.array([True, False, True])
    content = SampleSensitivities(
        p=2,
        g=random.normal(size=(3, 2, 7, 14)),
        value_gradient=random.normal(size=(3, 2, 14)),
        good=good,
        reasons={"not_convex": 1},
    )
    (tmp_path / "bag").mkdir()
    file = ChunkFile(path=tmp_path / "bag" / "chunk_00000.safetensors", samples=3, p=2)
    file.write(content)
    found = file.read()
    assert found.reasons == {"not_convex": 1}
    np.testing.assert_array_equal(found.good, good)
    np.testing.assert_allclose(found.g[good], content.g[good], rtol=1e-6)
    assert not found.g[1].any()
    assert summary(tmp_path) == summary(tmp_path) | {"samples": 3, "solved": 2, "reasons": {"not_convex": 1}}
    with pytest.raises(SensitivityError, match="other samples"):
        ChunkFile(path=file.path, samples=4, p=2).read()
    assert not ChunkFile(path=tmp_path / "absent", samples=4, p=2).is_there


def test_a_disk_that_takes_no_chunk_is_told_in_a_sentence(tmp_path):
    g, gradient = np.zeros((1, 2, 7, 14)), np.zeros((1, 2, 14))
    content = SampleSensitivities(p=2, g=g, value_gradient=gradient, good=np.array([True]), reasons={})
    with pytest.raises(SensitivityError, match=r"cannot be written \(No such file or directory\); make room"):
        ChunkFile(path=tmp_path / "gone" / "chunk", samples=1, p=2).write(content)


def test_gauss_newton_sensitivities_are_close_where_the_arm_bends_little(settings, bag, tmp_path):
    exact = export([bag], settings, tmp_path / "exact", jobs=1)
    other = export([bag], replaced(settings, hessian="gauss_newton"), tmp_path / "gauss_newton", jobs=1)
    both = exact.good & other.good
    assert both.mean() > 0.9
    assert np.linalg.norm(exact.g[both] - other.g[both]) < 0.3 * np.linalg.norm(exact.g[both])


def test_info_tells_what_is_in_the_folder(settings, bag, tmp_path):
    from rich.console import Console

    out = tmp_path / "out"
    export([bag], settings, out, jobs=1)
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(describe(out))
    text = console.export_text()
    assert bag.fingerprint in text
    assert settings.model.fingerprint in text
    (entry,) = read_entries(out)
    assert entry.samples == summary(out)["samples"]
