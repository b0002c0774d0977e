#!/usr/bin/env bash
# Checks style and types; makes .venv first if it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tools/setup_venv.sh
echo 'pylint and mypy ...'
.venv/bin/python -m pylint --score=no tf_muzero tools &
package=$!
.venv/bin/python -m pylint --score=no tests \
  --disable=abstract-method,arguments-differ,missing-docstring,no-member &
tests=$!
.venv/bin/python -m mypy --no-error-summary
wait "$package"
wait "$tests"
if command -v shellcheck > /dev/null; then
  echo 'shellcheck ...'
  shellcheck .ci/run tools/*.sh tpu/*.sh
fi
echo 'Style and types are fine.'
