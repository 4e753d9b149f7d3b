"""Bags: writing them so that a crash costs little, making damaged ones whole, reading them into arrays."""
