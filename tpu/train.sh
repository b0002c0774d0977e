#!/usr/bin/env bash
# Starts training, which goes on when this ends; the same command resumes.
#   bash tpu/train.sh [--dry-run] ARGUMENTS OF tf_muzero.train
# One process trains on all hosts of a pod, on worker 0. RUN_DIRECTORY and
# DATASET must be on gs:// there. WORKER_0 in the arguments stands for its
# address. Output goes to train.log (tpu/watch.sh). This looks after it for
# START_SECONDS, by default 30: what fails until then is told.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

if (($# == 0)); then
  echo 'Give the arguments of tf_muzero.train.' >&2
  exit 2
fi
python=python3 library=/lib/libtpu.so
if [[ "${TENSORFLOW}" != 2.15 ]]; then  # Both are of tools/install_on_tpu.sh.
  python=.venv-tpu/bin/python
  library="\$(echo .venv-tpu/lib/python*/site-packages/libtpu/libtpu.so)"
fi
if [[ -n "${IS_POD}" ]]; then
  # The other hosts run a TensorFlow server; Python must not take the TPU.
  variables="TPU_NAME=${TPU_NAME} TPU_LOAD_LIBRARY=0"
else
  variables='TPU_NAME=local NEXT_PLUGGABLE_DEVICE_USE_C_API=true'
  variables+=" TF_PLUGGABLE_DEVICE_LIBRARY_PATH=${library}"
fi
# In text and not in an array, since the other side reads it again.
arguments="$(printf '%q ' "$@")"
if [[ "${arguments}" == *WORKER_0* ]]; then
  arguments="${arguments//WORKER_0/$(address)}"
fi
on 0 "cd tf_muzero || exit
if [ -f ../train.pid ] && kill -0 \$(cat ../train.pid) 2>/dev/null; then
  echo 'It trains already; tpu/stop.sh stops it.' >&2; exit 1
fi
${variables} nohup ${python} -m tf_muzero.train ${arguments} \
  >> ../train.log 2>&1 < /dev/null &
echo \$! > ../train.pid
sleep ${START_SECONDS:-30}
kill -0 \$! 2>/dev/null || wait \$! || {
  tail -n 20 ../train.log >&2
  exit 1
}"
