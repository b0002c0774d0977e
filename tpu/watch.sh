#!/usr/bin/env bash
# Shows the TPU's state and follows the log of training.
#   bash tpu/watch.sh [--dry-run] [--workers | --tensorboard DIRECTORY]
# --workers shows the ends of the reanalyse workers' logs instead;
# --tensorboard runs TensorBoard here, on a run directory on gs://.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

case "${1:-}" in
  '')
    tpus tpu-vm describe "${TPU_NAME}" '--format=value(state,health)'
    on 0 'tail -n 50 -F train.log' ;;
  --workers) on all 'tail -n 5 worker.log' ;;
  --tensorboard)
    tensorboard=(tensorboard "--logdir=${2:?directory}/tensorboard")
    if [[ -n "${DRY_RUN:-}" ]]; then
      show "${tensorboard[@]}"
    else
      "${tensorboard[@]}"
    fi ;;
  *) echo "Unknown option $1." >&2; exit 2 ;;
esac
