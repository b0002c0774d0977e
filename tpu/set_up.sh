#!/usr/bin/env bash
# Copies this repository, as committed, to all workers and installs what it
# needs.
#   bash tpu/set_up.sh [--dry-run]
# The trainer runs with the image's own Python, whose TensorFlow knows TPUs: what
# is missing is installed beside it, without dependencies, so that nothing
# replaces that TensorFlow. Reanalyse workers run with the ordinary TensorFlow,
# which has XLA for the CPU, in an environment of their own.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

archive="$(mktemp --suffix=.tar.gz)"
trap 'rm -f "${archive}"' EXIT
repository="$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -z "${DRY_RUN:-}" ]]; then
  git -C "${repository}" archive --format=tar.gz "--output=${archive}" HEAD
else
  show git archive --format=tar.gz "--output=tf_muzero.tar.gz" HEAD
  archive=tf_muzero.tar.gz
fi
tpus tpu-vm scp "${archive}" "${TPU_NAME}:tf_muzero.tar.gz" --worker=all
on all 'rm -rf tf_muzero && mkdir tf_muzero &&
tar -xzf tf_muzero.tar.gz -C tf_muzero && cd tf_muzero &&
python3 -c "import tensorflow as tf
assert tf.__version__.startswith(\"2.15.\"), tf.__version__" &&
python3 -m pip install --quiet --user --no-deps \
  -c constraints.txt -r tpu/requirements.txt &&
python3 -c "import ale_py.roms, tf_muzero.train" && bash tools/setup_venv.sh'
