"""From recordings to a model: data set, sensitivities of every sample, losses, trainer, report."""
