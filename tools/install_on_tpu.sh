#!/usr/bin/env bash
# Installs what training and reanalysis need on a host with a TPU; tpu/set_up.sh
# calls it there.
#   bash tools/install_on_tpu.sh 2.15  # beside the TensorFlow of the image
#   bash tools/install_on_tpu.sh 2.20  # tensorflow-tpu, in .venv-tpu
# Reanalyse workers run with the ordinary TensorFlow, which has XLA for the CPU,
# in .venv. In .venv-tpu all else has the versions of .venv. Its Python is 3.12:
# PYTHON, or one that uv gets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
  2.15)
    python3 -c 'import tensorflow as tf
assert tf.__version__.startswith("2.15."), tf.__version__'
    # Without dependencies: nothing may replace the TensorFlow that knows TPUs.
    python3 -m pip install --quiet --user --no-deps \
      -c constraints.txt -r tpu/requirements.txt
    bash tools/setup_venv.sh
    trainer=python3 ;;
  2.20)
    if [[ -z "${PYTHON:-}" ]]; then
      python3 -m pip install --quiet --user uv
      python3 -m uv python install --quiet 3.12
      PYTHON="$(python3 -m uv python find 3.12)"
    fi
    export PYTHON
    bash tools/setup_venv.sh
    "${PYTHON}" -m venv --clear .venv-tpu
    .venv/bin/python -m pip freeze --exclude-editable |
      grep -v -i -E '^(tensorflow|tf[-_]keras|tensorboard)==' \
        >.venv-tpu/constraints.txt
    pip=(.venv-tpu/bin/python -m pip install --quiet)
    # It asks for any libtpu from 0.0.14 on, and 0.0.52 lacks what it calls.
    "${pip[@]}" -c .venv-tpu/constraints.txt 'tensorflow-tpu==2.20.*' \
      'libtpu==0.0.24'
    # Some ask for the ordinary TensorFlow.
    "${pip[@]}" --no-deps -r .venv-tpu/constraints.txt 'tf-keras==2.20.*'
    trainer=.venv-tpu/bin/python ;;
  *)
    echo "Name the TensorFlow: bash $0 2.15, or 2.20." >&2
    exit 2 ;;
esac
TPU_LOAD_LIBRARY=0 "${trainer}" -c 'import ale_py.roms, tf_muzero.train'
