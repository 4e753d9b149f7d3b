#!/usr/bin/env bash
# Makes the environments of the Franka driver: .venv-franka has the driver, .venv-franka/simulator the simulated robot
# that tests it. Nothing is done, and no network needed, if the lock files have not changed.
#
# usage: tools/setup_franka.sh        (PYTHON names the interpreter, 3.11)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3.11}
VENV=.venv-franka
STAMP=$VENV/.ttdm-franka
LOG=$VENV/log

fail() {
    echo "setup: $1" >&2
    exit 1
}

# Prints a line, runs a command, and shows the command's output only if it fails.
step() {
    local title=$1 start=$SECONDS
    shift
    printf '  %s ... ' "$title"
    if ! "$@" >"$LOG" 2>&1; then
        echo "failed"
        tail -n 40 "$LOG" >&2
        fail "this step failed (see above, all of it in $LOG); correct the cause and run the same command again"
    fi
    echo "$((SECONDS - start)) s"
}

install() {
    local folder=$1
    shift
    "$folder/bin/python" -m pip --disable-pip-version-check install --no-input --no-compile "$@"
}

# Waits for a set-up of .venv that runs at the same time: both write ttdm_ros.egg-info.
alone() (
    if command -v flock >/dev/null; then
        exec 9<requirements.lock
        flock 9
    fi
    "$@"
)

"$PYTHON" -c 'import ensurepip, sys, venv; sys.version_info[:2] == (3, 11) or sys.exit(1)' 2>/dev/null ||
    fail "$PYTHON is not a Python 3.11 that can make virtual environments; name one: make franka PYTHON=/path/to/python3.11"
key=$(cat requirements-franka.lock requirements-franka-sim.lock tools/setup_franka.sh tools/first_import.py | sha256sum | cut -c1-16)
[[ "$(cat "$STAMP" 2>/dev/null)" == "$key" && -x $VENV/bin/python ]] && exit 0

echo "Setting up $VENV (once; later runs skip this)"
rm -rf "$VENV"
mkdir -p "$VENV"
step "environment of the driver" "$PYTHON" -m venv "$VENV"
step "its locked packages" install "$VENV" -r requirements-franka.lock
step "ttdm_ros" alone install "$VENV" --no-deps --no-build-isolation --editable .
step "first import" "$VENV/bin/python" tools/first_import.py ttdm_ros.nodes.franka_driver ttdm_ros.plants.franka
step "environment of the simulator" "$PYTHON" -m venv "$VENV/simulator"
step "its locked packages" install "$VENV/simulator" -r requirements-franka-sim.lock
step "first import" "$VENV/simulator/bin/python" tools/first_import.py franka_sim.franka_sim_server franka_sim.mujoco_franka_sim
echo "$key" >"$STAMP"
