"""The study: what every weighting is worth in the closed loop, with statistics."""
