#!/usr/bin/env bash
# Makes .venv at the repository's root, with every version from constraints.txt.
# Does nothing if that was done and no requirement has changed since.
#   PYTHON=/path/to/python3.11 bash tools/setup_venv.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "Error: $*" >&2; exit 1; }

# TensorFlow 2.15 runs on these alone.
SUPPORTED='Python 3.9, 3.10 or 3.11'

is_supported() {
  "$1" -c 'import sys
sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' >/dev/null 2>&1
}

version() { "$1" --version 2>&1 | head -n 1; }

find_python() {
  local candidate
  if [[ -n "${PYTHON:-}" ]]; then
    is_supported "$PYTHON" && { echo "$PYTHON"; return; }
    die "TensorFlow 2.15 needs $SUPPORTED; PYTHON=$PYTHON is none" \
        "(it says: $(version "$PYTHON"))."
  fi
  for candidate in python3.11 python3.10 python3.9 python3 python; do
    is_supported "$candidate" && { echo "$candidate"; return; }
  done
  die "TensorFlow 2.15 needs $SUPPORTED; none was found" \
      "(python3 says: $(version python3))." \
      "Install one, or name it: PYTHON=/path/to/python3.11 bash $0"
}

requirements() { cat constraints.txt setup.cfg setup.py pyproject.toml "$0" | cksum; }

if [[ -e .venv ]] && .venv/bin/python -c '' 2>/dev/null; then
  is_supported .venv/bin/python || die ".venv is of $(
      version .venv/bin/python), but TensorFlow 2.15 needs $SUPPORTED:" \
      "remove it."
else
  python=$(find_python)
  echo "Making .venv with $("$python" --version) ..."
  "$python" -m venv --clear .venv || die "$python could not make a virtual" \
      "environment; on Debian and Ubuntu it needs the package python3-venv."
fi

stamp=.venv/requirements.cksum
[[ "$(requirements)" == "$(cat "$stamp" 2>/dev/null)" ]] && exit 0
log=.venv/install.log
echo "Installing into .venv; this takes some minutes once, see $log ..."
# The variable, unlike an option, also holds where pip builds a package.
if ! PIP_CONSTRAINT="$PWD/constraints.txt" PIP_DISABLE_PIP_VERSION_CHECK=1 \
    .venv/bin/python -m pip install -e '.[dev,atari,gymnasium,convert]' \
    setuptools \
    >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  die "the installation failed; the whole log is in $log."
fi
.venv/bin/python -m pip check || die "the installed versions do not fit."
requirements >"$stamp"
echo "Installed."
