"""Prediction models: what they are made of, the numbers in them, and the folder they are kept in."""
