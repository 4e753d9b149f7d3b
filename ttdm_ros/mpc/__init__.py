"""Optimal control problems of arms: tasks, formulation, the compiled real-time solver."""
