#!/usr/bin/env bash
# Runs the tests, in three processes, which keep two cores busy and take up to
# 11 GB in all (less with TEST_PROCESSES=2); makes .venv first if it is missing.
#   bash tools/test.sh                            # all
#   bash tools/test.sh tests/search -m 'not slow' # arguments go to pytest
#   VENV=.venv-3.12 PYTHON=python3.12 bash tools/test.sh  # see setup_venv.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tools/setup_venv.sh
exec "${VENV:-.venv}/bin/python" -m pytest -n "${TEST_PROCESSES:-3}" --dist worksteal "$@"
