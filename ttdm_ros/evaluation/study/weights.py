"""What matters where: the metric of one recording, drawn by joint and along the path."""

import numpy as np
from matplotlib.axes import Axes

from ttdm_ros.evaluation.drawing import Canvas, curve
from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.evaluation.study.driving import bench
from ttdm_ros.evaluation.study.folder import StudyFolder
from ttdm_ros.evaluation.study.learning import Learning

_WIDTH = 11.0


def draw_weights(study: StudyConfig, folder: StudyFolder) -> Canvas:
    """Draw the roots of the diagonal of GᵀG over the recordings of the first seed's first round."""
    arm = bench(study).arm
    learning = Learning(study, folder, arm, study.seeds[0], 0)
    known = learning.sensitivities(study.p_compared)
    good = np.asarray(known.good)
    weight = np.sqrt(np.square(np.asarray(known.g, dtype=np.float64)).sum(axis=2))  # (n, p, 14)
    canvas = Canvas(_WIDTH, 5.6, with_png=True)
    with canvas as figure:
        axes_by: dict[str, Axes] = figure.subplot_mosaic([["position", "velocity"], ["along", "along"]])
        for half, states, unit in (("position", slice(0, 7), "1/rad"), ("velocity", slice(7, 14), "s/rad")):
            axes = axes_by[half]
            means = np.sqrt(np.square(weight[good]).mean(axis=0))[:, states]
            width = 0.8 / len(means)
            for k, values in enumerate(means):
                axes.bar(np.arange(7) + (k - 0.5 * (len(means) - 1)) * width, values, width, label=f"k = {k + 1}")
            axes.set_xticks(range(7), [f"{i + 1}" for i in range(7)])
            axes.set_xlabel("joint")
            axes.set_ylabel(f"weight of {half} [{unit}]")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        along = axes_by["along"]
        by_joint = np.sqrt(np.square(weight[:, :, :7]).sum(axis=1))
        by_joint[~good] = np.nan
        time = np.arange(len(by_joint)) * study.sampling.step * study.sampling.spacing
        for i, name in enumerate(arm.joint_names):
            curve(along, time, by_joint[:, i], label=name, linewidth=0.9)
        along.set_xlabel("time in the recordings, one after another [s]")
        along.set_ylabel("weight of position [1/rad]")
        along.set_ylim(bottom=0.0)
        along.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return canvas
