"""Receiving a topic's serialized messages in batches, with a quality of service that hears every publisher."""

import importlib
import time
from collections.abc import Iterator
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from ttdm_ros.nodes.gate import Gate
from ttdm_ros.recording.config import KnownTopic
from ttdm_ros.recording.qos import Qos, hears, request_for

_OVERLAP = 2.0  # [s] that a replaced subscription is kept, until its successor surely hears every publisher


class DrainedTopic:
    """A topic whose queue its owner empties from time to time.

    With the executor waking for every message, three topics at 1 kHz cost 64 % of a core in rclpy; drained a hundred
    times a second they cost 13 %. Reception times come from the middleware, so they do not suffer; of CycloneDDS, which
    does not tell them, the times of sending are used.

    Attributes:
        name: full name.
        msgtype: as ``sensor_msgs/msg/JointState``.
        offers: what the publishers that were last seen offer.
        lost: messages the middleware reported as lost.
    """

    def __init__(self, node: Node, name: str, known: KnownTopic, queue_depth: int) -> None:
        """Subscribe.

        Raises:
            ImportError: no Python package of the message type is installed.
        """
        self.name = name
        self.msgtype = known.msgtype
        self.lost = 0
        self._node = node
        self._depth = queue_depth
        self._class = _message_class(known.msgtype)
        self._messages = Gate()  # never opened: the owner takes the messages
        self._events = Gate()  # opened now and then: while waited on, these events wake the executor at every message
        self.offers = offers_of(node, name)
        if self.offers:
            self._policies = request_for(self.offers)
        else:  # best effort hears every publisher to come; only reliable gets what was latched before
            self._policies = ("reliable", "transient_local") if known.latched else ("best_effort", "volatile")
        self._subscriptions: list[Subscription[Any]] = []
        self._subscribe()

    def take(self) -> Iterator[tuple[bytes, Any]]:
        """Yield the waiting messages with rclpy's message info; at most the queue's depth, so that others get a turn.

        While a subscription is replaced, both hear the same messages: the publishers' numbers tell.
        """
        self._events.is_open = False
        for subscription in tuple(self._subscriptions):
            with subscription.handle:
                for _ in range(self._depth):
                    taken = subscription.handle.take_message(self._class, True)
                    if taken is None:
                        break
                    yield taken

    def match_publishers(self) -> str | None:
        """Subscribe anew if the publishers there are now need it, or allow better; call this from time to time.

        It also lets the executor look for losses until the next ``take``.

        Returns:
            What was wrong until now, in a sentence, if messages of a publisher may have been missed.
        """
        self._events.is_open = True
        if len(self._subscriptions) > 1:
            if time.monotonic() - self._replaced_at > _OVERLAP:
                self._node.destroy_subscription(self._subscriptions.pop(0))
            return None
        found = self._node.get_publishers_info_by_topic(self.name)
        self.offers = tuple(_as_qos(info.qos_profile) for info in found if info.topic_type == self.msgtype)
        policies = request_for(self.offers) if self.offers else self._policies
        if policies == self._policies:
            return None
        unheard = not all(hears(*self._policies, offer) for offer in self.offers)
        before, self._policies = self._policies, policies
        self._subscribe()
        if not unheard:
            return None
        return (
            f"{self.name}: a publisher offers less than {' and '.join(before)}; recording with "
            f"{' and '.join(policies)} from now on, its earlier messages are lost"
        )

    def _subscribe(self) -> None:
        reliability, durability = self._policies
        subscription = self._node.create_subscription(
            self._class,
            self.name,
            _ignore,
            QoSProfile(
                depth=self._depth,
                reliability=ReliabilityPolicy[reliability.upper()],
                durability=DurabilityPolicy[durability.upper()],
            ),
            callback_group=self._messages,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            raw=True,
        )
        events = SubscriptionEventCallbacks(message_lost=self._note_loss, use_default_callbacks=False)
        for handler in events.create_event_handlers(self._events, subscription.handle, self.name):
            subscription.event_handlers.append(handler)
            self._node.add_waitable(handler)
        self._subscriptions.append(subscription)
        self._replaced_at = time.monotonic()

    def _note_loss(self, event: Any) -> None:
        self.lost += event.total_count_change


def offers_of(node: Node, topic: str) -> tuple[Qos, ...]:
    """Return what the publishers of a topic offer now."""
    return tuple(_as_qos(info.qos_profile) for info in node.get_publishers_info_by_topic(topic))


def _ignore(message: Any) -> None:
    """Stand in as the callback that the executor never calls."""


def _message_class(msgtype: str) -> type[Any]:
    package, _, name = msgtype.split("/")
    found = getattr(importlib.import_module(f"{package}.msg"), name, None)
    if found is None:
        raise ImportError(msgtype)
    return found


def _as_qos(profile: QoSProfile) -> Qos:
    return Qos(
        reliability=profile.reliability.name.lower(),
        durability=profile.durability.name.lower(),
        history=profile.history.name.lower(),
        depth=profile.depth,
        deadline_ns=profile.deadline.nanoseconds,
        lifespan_ns=profile.lifespan.nanoseconds,
        liveliness=profile.liveliness.name.lower(),
        liveliness_lease_ns=profile.liveliness_lease_duration.nanoseconds,
    )
