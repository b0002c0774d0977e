#!/usr/bin/env bash
# Runs a core of the tests with today's TensorFlow, on Python 3.12 or 3.13, in
# .venv-new beside .venv. Where there is no such Python, it says so and ends.
#   bash tools/test_stacks.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CORE=(tests/actions_test.py tests/keras2_test.py
  tests/data/episodes_test.py tests/networks tests/search/candidates_test.py
  tests/learning/losses_test.py tests/acting/policy_test.py
  tests/learning/trainer_test.py::test_several_steps_in_one_execution_are_those_steps
  'tests/two_states_test.py::test_muzero_finds_the_best_policy_and_its_values[vectors]')

# Those of pyenv are often there and not on the path.
for candidate in "${PYTHON_NEW:-}" python3.12 python3.13 python3 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[23].*/bin/python; do
  if [[ -n "$candidate" ]] && "$candidate" -c 'import sys
sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    VENV=.venv-new PYTHON="$candidate" exec bash tools/test.sh "${CORE[@]}" \
        -m 'not slow'
  fi
done
echo 'NOT tested with TensorFlow 2.21: no Python 3.12 or 3.13 was found.' \
     'Name one: PYTHON_NEW=/path/to/python3.12'
