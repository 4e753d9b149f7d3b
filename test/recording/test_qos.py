"""Quality of service: rosbag2's form, and what a subscription asks for."""

import itertools

import pytest
from rosbags.interfaces import Qos as RosbagsQos
from rosbags.interfaces import QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2.metadata import dump_qos_v8, parse_qos

from ttdm_ros.recording.qos import Qos, from_yaml, hears, request_for, to_yaml

PROFILE = Qos(
    reliability="best_effort",
    durability="transient_local",
    history="keep_all",
    depth=7,
    deadline_ns=1_000_000_002,
    liveliness="manual_by_topic",
)


def test_another_library_reads_the_yaml():
    (read,) = parse_qos(to_yaml([PROFILE]))
    assert (read.reliability, read.durability) == (QosReliability.BEST_EFFORT, QosDurability.TRANSIENT_LOCAL)
    assert (read.history, read.depth, read.liveliness) == (QosHistory.KEEP_ALL, 7, QosLiveliness.MANUAL_BY_TOPIC)
    assert read.deadline == (1, 2)
    assert read.lifespan == (9223372036, 854775807)  # infinite


def test_profiles_survive_the_round_trip():
    assert from_yaml(to_yaml([PROFILE, Qos()])) == (PROFILE, Qos())
    assert from_yaml(to_yaml([])) == ()


def test_the_numbers_of_older_bags_are_understood():
    never = QosTime(9223372036, 854775807)
    old = RosbagsQos(
        QosHistory.KEEP_ALL,
        7,
        QosReliability.BEST_EFFORT,
        QosDurability.TRANSIENT_LOCAL,
        QosTime(1, 2),
        never,
        QosLiveliness.MANUAL_BY_TOPIC,
        never,
        False,
    )
    assert from_yaml(dump_qos_v8([old])) == (PROFILE,)


@pytest.mark.parametrize("text", ["[", "- 1", "a: b", "- history: keep_last"])
def test_profiles_that_cannot_be_read_are_none(text):
    assert from_yaml(text) == ()


def test_a_subscription_hears_every_publisher_and_asks_for_no_less_than_it_may():
    profiles = [
        Qos(reliability=r, durability=d) for r in ("reliable", "best_effort") for d in ("transient_local", "volatile")
    ]
    stronger = {"best_effort": "reliable", "volatile": "transient_local"}
    for offers in itertools.chain.from_iterable(itertools.combinations(profiles, n) for n in range(1, 5)):
        reliability, durability = request_for(offers)
        assert all(hears(reliability, durability, offer) for offer in offers)
        if reliability in stronger:
            assert not all(hears(stronger[reliability], durability, offer) for offer in offers)
        if durability in stronger:
            assert not all(hears(reliability, stronger[durability], offer) for offer in offers)
