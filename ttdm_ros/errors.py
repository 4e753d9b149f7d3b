"""Errors a user can act on. Each message is one sentence: what is wrong, and what to do about it."""


class TtdmError(Exception):
    """Base of every error this package raises on purpose; command lines print it without a traceback."""


class ConfigError(TtdmError):
    """A YAML file or parameter is missing, malformed, or holds a value out of range."""


class RobotError(TtdmError):
    """A robot description is not a serial arm of seven joints, or lacks something that is needed."""


class TaskError(TtdmError):
    """A task leaves the workspace or exceeds the limits of the arm."""


class BundleError(TtdmError):
    """A model bundle is incomplete, of wrong shape, not finite, or made for another robot."""


class BagError(TtdmError):
    """A bag cannot be read or written, or lacks the topics that are needed."""


class SensitivityError(TtdmError):
    """A folder of sensitivities is incomplete, or was made of other bags, with another model or other settings."""


class SolverError(TtdmError):
    """acados or a compiler is missing, or the optimal control problem cannot be compiled or solved."""


class PlantError(TtdmError):
    """A plant cannot be started or simulated with the configuration given."""


class StorageError(TtdmError):
    """Numbers that are kept on disk instead of in memory cannot be written."""
