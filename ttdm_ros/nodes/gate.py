"""Keeping things away from the executor, and taking what it does not."""

from typing import Any

from rclpy.callback_groups import CallbackGroup


class Gate(CallbackGroup):
    """Keeps what is in it out of the executor's wait set while it is closed."""

    is_open = False

    def can_execute(self, entity: Any) -> bool:
        """Whether the executor may wait for it."""
        return self.is_open

    def beginning_execution(self, entity: Any) -> bool:
        """Refuse: its owner takes the messages."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing to do."""


def take_newest(subscription: Any, kind: type) -> Any:
    """Return the message that waits at a subscription of depth 1, as an object of its type; None if there is none."""
    with subscription.handle:
        taken = subscription.handle.take_message(kind, False)
    return None if taken is None else taken[0]
