"""Thin ROS 2 nodes: they translate between topics and the rest of the package, and hold no mathematics."""
