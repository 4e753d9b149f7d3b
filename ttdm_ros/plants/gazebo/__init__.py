"""The arm and the world as Gazebo reads them, made of the same parameters as everything else."""
