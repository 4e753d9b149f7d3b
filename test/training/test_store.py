"""Columns on disk: what is read is what was appended, and nothing of them stays behind."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ttdm_ros.errors import StorageError
from ttdm_ros.training.store import ROWS, Store, mean, pieces


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.bool_])
@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
def test_rows_are_read_as_they_were_appended(tmp_path, shape, dtype):
    parts = [(10.0 * np.random.default_rng(i).normal(size=(i * 700, *shape))).astype(dtype) for i in range(4)]
    column = Store(tmp_path).column(*shape, dtype=dtype)
    for part in parts:
        column.append(part)
    assert len(column) == 4200
    found = column.finish()
    assert found.dtype == dtype
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, np.concatenate(parts))


def test_a_column_without_rows_is_empty(tmp_path):
    assert Store(tmp_path).column(4).finish().shape == (0, 4)


def test_rows_of_another_shape_are_refused(tmp_path):
    with pytest.raises(ValueError, match="do not fit"):
        Store(tmp_path).column(4).append(np.zeros((2, 5)))


def test_a_function_is_applied_to_all_rows(tmp_path):
    a = np.random.default_rng(0).normal(size=2 * ROWS + 7)
    np.testing.assert_array_equal(Store(tmp_path).derived(lambda x: x * x, a), a * a)


def test_columns_are_not_seen_in_the_folder_and_their_space_is_freed(tmp_path):
    column = Store(tmp_path).column(1000)
    column.append(np.ones((1000, 1000)))
    found = column.finish()
    assert not list(tmp_path.iterdir())
    mapped = f"{tmp_path}/"
    assert mapped in open_maps()
    del found, column
    assert mapped not in open_maps()


def open_maps():
    return Path("/proc/self/maps").read_text()


def test_a_killed_process_leaves_nothing(tmp_path):
    program = f"""
import os, numpy as np
from pathlib import Path
from ttdm_ros.training.store import Store
column = Store(Path({str(tmp_path)!r})).column(10)
column.append(np.ones((1000, 10)))
kept = column.finish()
print("ready", flush=True)
input()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"ready"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(tmp_path.iterdir())


def test_the_folder_need_not_exist_and_is_not_made(tmp_path):
    column = Store(tmp_path / "not" / "there").column()
    column.append(np.arange(3.0))
    np.testing.assert_array_equal(column.finish(), [0.0, 1.0, 2.0])
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_told_in_a_sentence(tmp_path):
    column = Store(tmp_path).column(1000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot take the data set .*; make room"):
            column.append(np.ones((100, 1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_pieces_are_all_rows_once():
    for count in (0, 1, ROWS, ROWS + 1, 3 * ROWS - 1):
        rows = np.concatenate([np.arange(count)[piece] for piece in pieces(count)] or [np.zeros(0, dtype=int)])
        np.testing.assert_array_equal(rows, np.arange(count))


def test_the_mean_of_parts_is_that_of_the_whole():
    values = np.random.default_rng(0).normal(size=(1000, 3))
    parts = [values[:300], values[300:300], values[300:]]
    np.testing.assert_allclose(mean(iter(parts)), values.mean(axis=0), rtol=1e-13)
    with pytest.raises(ValueError, match="nothing"):
        mean(iter([values[:0]]))
