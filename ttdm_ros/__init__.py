"""Task-tailored dynamics models for model predictive control: record, learn, run live."""

__version__ = "0.1.0"
