#!/usr/bin/env bash
# In the folder of a ROS 2 workspace: makes .venv with what rosdep cannot supply, visible to the ROS packages.
#
# usage: src/ttdm_ros/tools/setup_ros_workspace.sh       (after rosdep, see docs/installation.md)
set -euo pipefail

VENV=.venv
ACADOS_WHEEL=comma-deps-acados==0.2.2.post92

if [[ ! -d src ]]; then
    echo "setup: there is no src/ here; run this in the folder of the workspace" >&2
    exit 1
fi
python3 -m venv --system-site-packages "$VENV"
touch "$VENV/COLCON_IGNORE"

# ROS's message packages are compiled against the numpy of the distribution: below 2 in Jazzy and Kilted.
"$VENV/bin/pip" install --upgrade "numpy<2" \
    casadi cython lz4 matplotlib mcap "mujoco>=3" "pydantic>=2" rich "rosbags>=0.10" safetensors scipy torch zstandard

if [[ -z ${ACADOS_SOURCE_DIR:-} ]]; then
    "$VENV/bin/pip" install --no-deps --upgrade --target "$VENV/share/acados-wheel" "$ACADOS_WHEEL"
    rm -rf "$VENV/share/acados-wheel/casadi" # a stripped copy that would hide the real one
fi
echo "ready: source $VENV/bin/activate && python -m colcon build"
