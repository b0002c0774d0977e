#!/usr/bin/env bash
# Makes training go on: after a preemption, on a new TPU.
#   bash tpu/resume.sh [--dry-run] [--queued] [--spot] [--reanalyse] ARGUMENTS
# The options are those that the TPU was created with, and --reanalyse where it
# has the service; ARGUMENTS those of tpu/train.sh. A TPU that is there is kept,
# and so is what runs on it: processes of the service that have ended are started
# again, and where it trains already, this fails. A set-up that did not end is
# begun anew. A TPU is deleted only if it was preempted, a request if it failed.
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
  if [[ "${now}" == NONE && -n "${queued[*]-}" ]]; then
    now="$(request_state)"
  fi
fi
echo "${TPU_NAME} is ${now}."
set_up=''
case "${now}" in
  READY)
    is_set_up='cd tf_muzero 2>/dev/null && [ -e .set_up ] || echo MISSING'
    if [[ "$(on all "${is_set_up}")" == *MISSING* ]]; then
      set_up=1
    fi ;;
  PREEMPTED | TERMINATED | FAILED | SUSPEND*)
    bash "${here}/delete.sh" ${queued[@]+"${queued[@]}"}
    bash "${here}/create.sh" ${options[@]+"${options[@]}"}
    set_up=1 ;;
  NONE | ACCEPTED | PROVISIONING | WAITING*)
    bash "${here}/create.sh" ${options[@]+"${options[@]}"}
    set_up=1 ;;
  *)
    echo "Try again when it is READY. A stopped one: gcloud compute tpus tpu-vm" \
      "start ${TPU_NAME} ${WHERE[*]}; or bash tpu/delete.sh, with all that is" \
      'on it, and then this again.' >&2
    exit 1 ;;
esac
if [[ -n "${set_up}" ]]; then
  bash "${here}/set_up.sh"
fi
if [[ -n "${reanalyse}" ]]; then
  bash "${here}/reanalyse.sh"
fi
bash "${here}/train.sh" "$@"
