"""Qualities of service that several nodes share."""

from rclpy.qos import DurabilityPolicy, QoSProfile

EVENTS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""What happened, in words: whoever comes later hears the last ones, too."""
NEWEST_KEPT = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""What is so until something else is said: whoever comes later hears it."""
