"""What stands in for the robot: a simulated arm with effects that the nominal dynamics does not know."""
