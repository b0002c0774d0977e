#!/usr/bin/env bash
# Checks style and types; makes .venv first if it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tools/setup_venv.sh
echo 'pylint ...'
.venv/bin/python -m pylint --score=no tf_muzero tools
.venv/bin/python -m pylint --score=no tests \
  --disable=abstract-method,arguments-differ,missing-docstring,no-member
echo 'mypy ...'
.venv/bin/python -m mypy --no-error-summary
if command -v shellcheck > /dev/null; then
  echo 'shellcheck ...'
  shellcheck .ci/run tools/*.sh tpu/*.sh
fi
echo 'Style and types are fine.'
