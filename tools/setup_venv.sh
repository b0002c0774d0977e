#!/usr/bin/env bash
# Makes .venv at the repository's root, with every version from a lock file:
# constraints.txt on Python 3.9 to 3.11, whose TensorFlow is 2.15, and
# constraints-3.12.txt on Python 3.12 and 3.13, whose TensorFlow is 2.21.
# Does nothing if that was done and no requirement has changed since.
#   PYTHON=/path/to/python3.13 bash tools/setup_venv.sh  # that one
#   VENV=.venv-3.13 PYTHON=... bash tools/setup_venv.sh  # beside the first one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
VENV="${VENV:-.venv}"

die() { echo "Error: $*" >&2; exit 1; }

SUPPORTED='Python 3.9 to 3.13'
# In this order: the first has all there is, RLDS's library included.
CANDIDATES=(python3.11 python3.12 python3.13 python3.10 python3.9 python3 python)

is_supported() {
  "$1" -c 'import sys
sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

is_new() {  # Whether it gets TensorFlow 2.21.
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))'
}

is_newest() {  # Whether labmaze, which dm-control asks for, cannot be built.
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 13))'
}

version() { "$1" --version 2>&1 | head -n 1; }

release() { "$1" -c 'import sys; print(*sys.version_info[:2])'; }

find_python() {
  local candidate
  if [[ -n "${PYTHON:-}" ]]; then
    is_supported "$PYTHON" && { echo "$PYTHON"; return; }
    die "TensorFlow needs $SUPPORTED here; PYTHON=$PYTHON is none" \
        "(it says: $(version "$PYTHON"))."
  fi
  for candidate in "${CANDIDATES[@]}"; do
    is_supported "$candidate" && { echo "$candidate"; return; }
  done
  command -v uv >/dev/null || die "TensorFlow needs $SUPPORTED here; none was" \
      "found (python3 says: $(version python3)). Install one or name it," \
      'PYTHON=/path/to/python3.11 bash tools/setup_venv.sh, or install uv,' \
      'which gets one: https://docs.astral.sh/uv.'
  uv python install --quiet 3.11 >&2 || die 'uv could not get Python 3.11.'
  uv python find 3.11
}

requirements() {
  cat "$lock" setup.cfg setup.py pyproject.toml tools/setup_venv.sh | cksum
}

install() {
  # The variable, unlike an option, also holds where pip builds a package.
  PIP_CONSTRAINT="$PWD/$lock" PIP_DISABLE_PIP_VERSION_CHECK=1 \
      "$VENV/bin/python" -m pip install "$@" >>"$log" 2>&1 && return
  tail -n 20 "$log" >&2
  die "the installation failed; the whole log is in $log."
}

check() {  # TF-Agents asks for old releases, and runs with new ones.
  "$VENV/bin/python" -m pip check | grep -v '^No broken' |
      if is_newest "$VENV/bin/python"; then
        grep -v -e '^tf-agents ' -e '^dm-control .* labmaze'
      elif is_new "$VENV/bin/python"; then
        grep -v '^tf-agents '
      else
        cat
      fi
}

# Where ensurepip is missing, an environment without pip is left behind.
if [[ -e "$VENV" ]] && "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
  if [[ -n "${PYTHON:-}" ]]; then
    asked=$(find_python)
    [[ "$(release "$VENV/bin/python")" == "$(release "$asked")" ]] || die \
        "$VENV is of $(version "$VENV/bin/python"), but PYTHON=$PYTHON is" \
        "$(version "$PYTHON"): remove it, or name another one, VENV=..."
  fi
  is_supported "$VENV/bin/python" || die "$VENV is of $(
      version "$VENV/bin/python"), but TensorFlow needs $SUPPORTED here:" \
      "remove it."
else
  python=$(find_python)
  echo "Making $VENV with $("$python" --version) ..."
  "$python" -m venv --clear "$VENV" || die "$python could not make a virtual" \
      "environment; on Debian and Ubuntu it needs the package python3-venv."
fi
if is_new "$VENV/bin/python"; then
  lock=constraints-3.12.txt
else
  lock=constraints.txt
fi

stamp="$VENV/requirements.cksum"
[[ "$(requirements)" == "$(cat "$stamp" 2>/dev/null)" ]] && exit 0
log="$VENV/install.log"
echo "Installing into $VENV; this takes some minutes once, see $log ..."
: >"$log"
install -e '.[dev,atari,gymnasium,convert]' setuptools
if is_new "$VENV/bin/python"; then
  install --no-deps tf-agents
fi
if is_newest "$VENV/bin/python"; then
  install --no-deps dm-control
fi
unmet=$(check) || true
[[ -z "$unmet" ]] || die "the installed versions do not fit: $unmet"
requirements >"$stamp"
echo 'Installed.'
