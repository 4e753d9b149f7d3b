"""Trains on a long bag and prints the peak of the memory that is not backed by a file [bytes]; started by test_memory.

The bag repeats one lap; the sensitivities are random numbers, as solving for them would take minutes.
"""

import re
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch

from conftest import COMMANDS, STATES, TYPES, WANTED, Motion
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.recording.writer import BagWriter
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.training import export
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.job import TrainingJob
from ttdm_ros.training.pipeline import train_from_bags
from ttdm_ros.training.sensitivities import SampleSensitivities

LAP_S = 1.5


class Peak:
    """Follows RssAnon from its beginning on."""

    def __init__(self):
        self.first = self.highest = self.now()
        threading.Thread(target=self._watch, daemon=True).start()

    @staticmethod
    def now():
        kilobytes = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)
        return 1024 * int(kilobytes)

    def _watch(self):
        while True:
            self.highest = max(self.highest, self.now())
            time.sleep(0.002)


def write_bag(path, arm, seconds):
    """Write the lap again and again, with the stamps moved on; 100 Hz is the least that is no gap."""
    rows = Motion(arm, seconds=LAP_S, rate=100.0).messages()
    with BagWriter(path) as writer:
        for topic in (STATES, COMMANDS, WANTED):
            writer.add_channel(topic, TYPES[topic])
        for lap in range(round(seconds / LAP_S)):
            later = round(1e9 * LAP_S * lap)
            for topic, data, received in rows:
                if topic != COMMANDS:  # the stamp follows the four bytes of the head
                    seconds_, nanoseconds = struct.unpack_from("<iI", data, 4)
                    stamp = seconds_ * 10**9 + nanoseconds + later
                    data = data[:4] + struct.pack("<iI", stamp // 10**9, stamp % 10**9) + data[12:]
                writer.write(topic, data, received + later, received + later)


class RandomSensitivities:
    """In place of the solver."""

    def __init__(self, *_, **__):
        self.random = np.random.default_rng(0)

    def samples(self, piece, starts, p):
        count = len(starts)
        return SampleSensitivities(
            p=p,
            g=self.random.normal(size=(count, p, 7, 14)),
            value_gradient=self.random.normal(size=(count, p, 14)),
            good=np.ones(count, dtype=bool),
            reasons={},
        )


def train(folder, arm, bag):
    config = TrainingConfig(specification=ModelSpecification(hidden=(8,), inputs=("q", "v")), base_steps=60, steps=60)
    weightings = ("variance", "sensitivity", "sensitivity_mean", "value_gradient")
    return train_from_bags(TrainingJob(bags=(bag,), arm=arm, out=folder, weightings=weightings, config=config, jobs=1))


if __name__ == "__main__":
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    torch.set_num_threads(1)
    export.make_differentiator = RandomSensitivities
    panda = load_arm("panda")
    write_bag(folder / "warm_bag", panda, 6.0)
    train(folder / "warm", panda, folder / "warm_bag")  # what is loaded and compiled once does not count
    write_bag(folder / "bag", panda, seconds)
    peak = Peak()
    outcome = train(folder / "out", panda, folder / "bag")
    assert len(outcome.windows) > 100.0 * seconds
    print(peak.highest - peak.first)
