"""Parameters of the recorder, and the topics it keeps if not told otherwise."""

from typing import Annotated, NamedTuple

from pydantic import Field

from ttdm_ros import topics
from ttdm_ros.config import Config
from ttdm_ros.recording.writer import Compression


class KnownTopic(NamedTuple):
    """Type of a topic, and whether its publisher latches it."""

    msgtype: str
    latched: bool = False


KNOWN_TOPICS: dict[str, KnownTopic] = {
    topics.JOINT_STATES: KnownTopic("sensor_msgs/msg/JointState"),
    topics.COMMANDS: KnownTopic("std_msgs/msg/Float64MultiArray"),
    topics.REFERENCE: KnownTopic("trajectory_msgs/msg/MultiDOFJointTrajectory"),
    topics.REFERENCE_JOINTS: KnownTopic("sensor_msgs/msg/JointState"),
    topics.PREDICTION: KnownTopic("trajectory_msgs/msg/MultiDOFJointTrajectory"),
    topics.STATUS: KnownTopic("diagnostic_msgs/msg/DiagnosticArray"),
    topics.TIMING: KnownTopic("std_msgs/msg/Float64MultiArray"),
    topics.ACTIVE_MODEL: KnownTopic("std_msgs/msg/String", latched=True),
    topics.EVENTS: KnownTopic("std_msgs/msg/String", latched=True),
    topics.TARGET: KnownTopic("geometry_msgs/msg/PoseStamped"),
    topics.ROBOT_DESCRIPTION: KnownTopic("std_msgs/msg/String", latched=True),
    topics.DIAGNOSTICS: KnownTopic("diagnostic_msgs/msg/DiagnosticArray"),
    topics.CLOCK: KnownTopic("rosgraph_msgs/msg/Clock"),
    topics.LAW: KnownTopic("trajectory_msgs/msg/JointTrajectory"),
    topics.FRANKA_MEASURED: KnownTopic("sensor_msgs/msg/JointState"),
    topics.FRANKA_DESIRED: KnownTopic("sensor_msgs/msg/JointState"),
    topics.FRANKA_EXTERNAL: KnownTopic("sensor_msgs/msg/JointState"),
    topics.FRANKA_LOOP: KnownTopic("std_msgs/msg/Float64MultiArray"),
    topics.FRANKA_EVENTS: KnownTopic("std_msgs/msg/String", latched=True),
}


class RecorderConfig(Config):
    """Parameters of the node ``recorder``; see config/recorder.yaml."""

    output_folder: str = "bags"
    """Folder that bags are made in."""
    name: str = ""
    """Name of the bag; empty for ``ttdm_<date>_<time>``. An existing bag is never overwritten."""
    topics: tuple[str, ...] = ()
    """Topics to record; none for all that this package knows."""
    extra_topics: tuple[str, ...] = ()
    """Topics to record besides; their types are found when a publisher appears."""
    compression: Compression = "zstd"
    """Compression of chunks."""
    chunk_interval: Annotated[float, Field(gt=0.0, le=0.4)] = 0.2
    """Longest time until a message received is safe from a crash of the recorder [s]."""
    split_size: Annotated[float, Field(ge=0.0)] = 0.0
    """Size at which a new file is begun [MB]; 0 for never."""
    split_duration: Annotated[float, Field(ge=0.0)] = 0.0
    """Duration after which a new file is begun [s]; 0 for never."""
    min_free_disk: Annotated[float, Field(ge=0.0)] = 200.0
    """Room on the disk below which recording ends [MB]."""
    queue_depth: Annotated[int, Field(ge=1, le=100_000)] = 2000
    """Messages a topic that may wait while the recorder or its disk is held up."""
