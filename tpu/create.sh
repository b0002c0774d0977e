#!/usr/bin/env bash
# Creates a TPU and waits for it.
#   bash tpu/create.sh [--dry-run] [--queued] [--spot]
# --queued waits in the queue until it is there, or the request has failed or is
# suspended, which is an error; a request that waits already is not made again.
# --spot is cheaper, and may be taken away at any time (tpu/resume.sh).
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

queued='' spot=()
for option in "$@"; do
  case "${option}" in
    --queued) queued=1 ;;
    --spot) spot=(--spot) ;;
    *) echo "Unknown option ${option}." >&2; exit 2 ;;
  esac
done

if [[ -z "${queued}" ]]; then
  tpus tpu-vm create "${TPU_NAME}" "--accelerator-type=${ACCELERATOR}" \
    "--version=${RUNTIME}" ${spot[@]+"${spot[@]}"}
  exit
fi
request=NONE
if [[ -z "${DRY_RUN:-}" ]]; then
  request="$(request_state)"
fi
if [[ "${request}" == NONE ]]; then
  tpus queued-resources create "${TPU_NAME}" "--node-id=${TPU_NAME}" \
    "--accelerator-type=${ACCELERATOR}" "--runtime-version=${RUNTIME}" \
    ${spot[@]+"${spot[@]}"}
fi
while [[ -z "${DRY_RUN:-}" && "$(state)" != READY ]]; do
  request="$(request_state)"
  if [[ "${request}" == FAILED || "${request}" == SUSPEND* ]]; then
    echo "The request for ${TPU_NAME} is ${request}. Why, says gcloud compute" \
      "tpus queued-resources describe ${TPU_NAME} ${WHERE[*]};" \
      'bash tpu/delete.sh --queued removes it.' >&2
    exit 1
  fi
  echo "Waiting for ${TPU_NAME} ($(date +%H:%M)); an interrupt leaves it queued."
  sleep "${POLL_SECONDS:-60}"
done
