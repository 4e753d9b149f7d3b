"""Tasks: what the tip shall do, resolved into references an arm can follow."""
