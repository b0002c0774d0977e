#!/usr/bin/env bash
# Makes training go on: after a preemption, on a new TPU.
#   bash tpu/resume.sh [--dry-run] [--queued] [--spot] [--reanalyse] ARGUMENTS
# The options are those that the TPU was created with, and --reanalyse where it
# has the service; ARGUMENTS those of tpu/train.sh. A TPU that is there is kept,
# and so is what runs on it: processes of the service that have ended are started
# again, and where it trains already, this fails.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

export TPU_NAME ZONE ACCELERATOR PROJECT TENSORFLOW RUNTIME DRY_RUN
here="$(dirname "${BASH_SOURCE[0]}")"
options=() queued=() reanalyse=''
while (($# > 0)); do
  case "$1" in
    --queued) options+=("$1"); queued=("$1") ;;
    --spot) options+=("$1") ;;
    --reanalyse) reanalyse=1 ;;
    *) break ;;
  esac
  shift
done

now=PREEMPTED  # What a dry run is about.
if [[ -z "${DRY_RUN:-}" ]]; then
  now="$(state)"
fi
echo "${TPU_NAME} is ${now}."
case "${now}" in
  READY) ;;
  CREATING | STARTING | RESTARTING | REPAIRING)
    echo 'Try again when it is ready.' >&2
    exit 1 ;;
  *)
    if [[ "${now}" != NONE || -n "${queued[*]-}" ]]; then
      bash "${here}/delete.sh" ${queued[@]+"${queued[@]}"}
    fi
    bash "${here}/create.sh" ${options[@]+"${options[@]}"}
    bash "${here}/set_up.sh" ;;
esac
if [[ -n "${reanalyse}" ]]; then
  bash "${here}/reanalyse.sh"
fi
bash "${here}/train.sh" "$@"
