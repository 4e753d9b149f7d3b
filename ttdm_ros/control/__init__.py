"""The controller without ROS: what happens at every joint state, from the first one to a controlled stop."""
