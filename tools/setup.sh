#!/usr/bin/env bash
# Makes the virtual environment: the locked packages, the acados wheel beside them, and this project, editable.
#
# usage: tools/setup.sh        (PYTHON names the interpreter, VENV the folder; both have defaults)
#
# Finished steps leave a stamp with the hash of all they depend on, so a run that has nothing to do takes milliseconds
# and needs no network. A set-up that was interrupted, or whose lock file has changed, starts from an empty folder:
# pip takes half-written packages for installed ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=${VENV:-.venv}
ACADOS_WHEEL=comma-deps-acados==0.2.2.post92
ACADOS_FOLDER=$VENV/share/acados-wheel
PACKAGES_STAMP=$VENV/.ttdm-packages # what is locked, installed
PROJECT_STAMP=$VENV/.ttdm-project   # this project, installed
UNFINISHED=$VENV/.ttdm-unfinished   # a set-up has begun and has not ended

fail() {
    echo "setup: $1" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null; then
            return
        fi
    done
    fail "Python 3.11 was not found (looked for: ${PYTHON:-python3.11, python3}); install it or name it: make venv PYTHON=/path/to/python3.11"
}

hash_of() { sha256sum | cut -c1-16; }

# Prints a line, runs a command, and shows the command's output only if it fails.
step() {
    local title=$1 log=$VENV/.ttdm-log status=0 start=$SECONDS
    shift
    printf '  %s ... ' "$title"
    "$@" >"$log" 2>&1 || status=$?
    if ((status)); then
        echo "failed"
        tail -n 40 "$log" >&2
        fail "this step failed (see above, all of it in $log); correct the cause and run the same command again"
    fi
    echo "$((SECONDS - start)) s"
}

# Without --no-compile, pip compiles thousands of modules, of which most are never imported; first_import.py compiles
# those that are.
pip_install() { "$VENV/bin/python" -m pip --disable-pip-version-check install --no-input --no-compile "$@"; }

install_acados() {
    pip_install --no-deps --target "$ACADOS_FOLDER" "$ACADOS_WHEEL"
    rm -rf "$ACADOS_FOLDER/casadi" # a stripped copy that would hide the real one
}

make_environment() {
    local key=$1 python=$2
    if [[ -e $VENV && ! -e $PACKAGES_STAMP && ! -e $UNFINISHED ]]; then
        fail "$VENV is there but was not made by this script; remove it, or name another folder: make venv VENV=other"
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments; install them first: apt-get install python3-venv"
    echo "Setting up $VENV with $python (once; later runs skip this)"
    rm -rf "$VENV"
    mkdir -p "$VENV"
    touch "$UNFINISHED"
    step "virtual environment" "$python" -m venv "$VENV"
    step "locked packages" pip_install -r requirements.lock
    step "acados" install_acados
    echo "$key" >"$PACKAGES_STAMP"
}

install_project() {
    touch "$UNFINISHED"
    step "ttdm_ros" pip_install --no-deps --no-build-isolation --editable .
    step "first import" "$VENV/bin/python" tools/first_import.py ttdm_ros
    echo "$1" >"$PROJECT_STAMP"
    rm -f "$UNFINISHED"
}

if command -v flock >/dev/null; then # two set-ups at once wait for each other
    exec 9<requirements.lock
    flock 9
fi
python=$(find_python)
packages_key=$({ cat requirements.lock tools/setup.sh && "$python" -c "import sys; print(sys.executable, sys.version)" && readlink -m "$VENV"; } | hash_of)
project_key=$({ cat setup.py setup.cfg pyproject.toml tools/first_import.py && echo "$packages_key"; } | hash_of)

if [[ -e $UNFINISHED || "$(cat "$PACKAGES_STAMP" 2>/dev/null)" != "$packages_key" || ! -x $VENV/bin/python ]]; then
    make_environment "$packages_key" "$python"
fi
if [[ "$(cat "$PROJECT_STAMP" 2>/dev/null)" != "$project_key" ]]; then
    install_project "$project_key"
fi
