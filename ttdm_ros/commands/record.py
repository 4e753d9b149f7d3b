"""Keep the topics of a controlled arm in a bag, until Ctrl-C.

Runs the node `recorder` with the parameters of config/recorder.yaml; the options here win over them.

Examples:
  ttdm record
  ttdm record --output bags --name first_try --extra-topic /camera/image_raw
  ttdm record --namespace left --use-sim-time
"""

import argparse
from pathlib import Path
from typing import Any

from ttdm_ros.commands.arguments import positive_float
from ttdm_ros.ros_packages import without


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="bags are made in here (default: bags)")
    parser.add_argument("--name", help="name of the bag (default: ttdm_<date>_<time>)")
    parser.add_argument(
        "--topic", action="append", metavar="TOPIC", help="only this topic; repeatable (default: all known ones)"
    )
    parser.add_argument("--extra-topic", action="append", metavar="TOPIC", help="also this topic; repeatable")
    parser.add_argument("--compression", choices=["none", "lz4", "zstd"], help="of chunks (default: zstd)")
    parser.add_argument("--split-size", type=positive_float, metavar="MB", help="begin a new file at this size")
    parser.add_argument("--split-duration", type=positive_float, metavar="SECONDS", help="begin a new file after this")
    parser.add_argument("--namespace", default="", help="namespace of the topics (default: none)")
    parser.add_argument("--use-sim-time", action="store_true", help="log times come from /clock")
    parser.add_argument("--params-file", type=Path, metavar="FILE", help="another parameter file")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    try:
        from ttdm_ros.nodes.recorder import main
    except ImportError as error:
        raise without(error, "recording") from error
    from ttdm_ros.evaluation.node_command import ros_arguments

    parameters: dict[str, Any] = {
        "output_folder": None if given.output is None else str(given.output),
        "name": given.name,
        "topics": given.topic,
        "extra_topics": given.extra_topic,
        "compression": given.compression,
        "split_size": given.split_size,
        "split_duration": given.split_duration,
        "use_sim_time": given.use_sim_time or None,
    }
    return main(ros_arguments("recorder", parameters, namespace=given.namespace, params_file=given.params_file))
