"""Parameters of the recorder."""

from pathlib import Path

import pytest
import yaml

from ttdm_ros.config import parse
from ttdm_ros.errors import ConfigError
from ttdm_ros.recording.config import KNOWN_TOPICS, RecorderConfig
from ttdm_ros.recording.definitions import definition_of

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "recorder.yaml"


def test_the_shipped_file_names_every_parameter_with_its_default():
    given = yaml.safe_load(SHIPPED.read_text())["/**/recorder"]["ros__parameters"]
    given = {key: () if value == [""] else value for key, value in given.items()}
    assert given == RecorderConfig().model_dump()


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"chunk_interval": 0.6}, "chunk_interval"),
        ({"chunk_interval": 0.0}, "chunk_interval"),
        ({"compression": "rar"}, "compression"),
        ({"queue_depth": 0}, "queue_depth"),
        ({"compresion": "none"}, "did you mean 'compression'"),
    ],
    ids=str,
)
def test_a_value_that_is_not_allowed_is_named(parameters, sentence):
    with pytest.raises(ConfigError, match=sentence):
        parse(parameters, RecorderConfig, "parameters of recorder")


def test_the_definition_of_every_known_topic_goes_into_the_bag():
    for known in KNOWN_TOPICS.values():
        text, type_hash = definition_of(known.msgtype)
        assert text
        assert type_hash.startswith("RIHS01_")
