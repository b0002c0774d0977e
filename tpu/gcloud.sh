#!/usr/bin/env bash
# Settings, and how the scripts of this folder call gcloud; sourced by them.
#   TPU_NAME     of the TPU; it need not be there yet.
#   ZONE         such as us-central2-b.
#   ACCELERATOR  v4-8, v4-32, v5litepod-8, v5p-8, v6e-8, ...; more than 8 is a
#                pod.
#   PROJECT      of the cloud; by default gcloud's own.
#   TENSORFLOW   2.15, which an image has, or 2.20, which is installed on an image
#                without one, and not for pods; by default 2.20 for v6e, which
#                2.15 does not know, and 2.15 for all others.
#   RUNTIME      image; by default what these ask for.
#   DISPATCHER_PORT, POLL_SECONDS, START_SECONDS  of reanalyse.sh (5050), of
#                create.sh (60), of train.sh (30).
#   DRY_RUN      if not empty, commands are printed and not run; so is --dry-run.
# shellcheck disable=SC2034  # What is set here is used by the scripts.
set -euo pipefail

others=()
for each in "$@"; do
  if [[ "${each}" == --dry-run ]]; then
    DRY_RUN=1
  else
    others+=("${each}")
  fi
done
set -- ${others[@]+"${others[@]}"}
for setting in TPU_NAME ZONE ACCELERATOR; do
  if [[ -z "${!setting:-}" ]]; then
    echo "Set ${setting}; see tpu/README.md." >&2
    exit 2
  fi
done
if [[ ! "${ACCELERATOR}" =~ ^v[0-9a-z]+-[0-9]+$ ]]; then
  echo "ACCELERATOR must be like v4-8 or v5litepod-16, got ${ACCELERATOR}." >&2
  exit 2
fi

IS_POD=''
if ((${ACCELERATOR##*-} > 8)); then
  IS_POD=1
fi
case "${ACCELERATOR}" in
  v6e-*) image=v2-alpha-tpuv6e TENSORFLOW="${TENSORFLOW:-2.20}" ;;
  v5p-*) image=v2-alpha-tpuv5 ;;
  v5litepod-*) image=v2-alpha-tpuv5-lite ;;
  *) image=tpu-ubuntu2204-base ;;
esac
TENSORFLOW="${TENSORFLOW:-2.15}"
case "${TENSORFLOW} ${ACCELERATOR}" in
  '2.15 v6e-'*)
    echo 'TensorFlow 2.15 knows no v6e: set TENSORFLOW=2.20.' >&2
    exit 2 ;;
  '2.15 '*) image="tpu-vm-tf-2.15.1${IS_POD:+-pod}-pjrt" ;;
  '2.20 '*)
    if [[ -n "${IS_POD}" ]]; then
      echo "${ACCELERATOR} is a pod, whose other hosts have to run a server of" \
        'TensorFlow, as the images with TensorFlow 2.15 do: with' \
        'TENSORFLOW=2.20 take one host.' >&2
      exit 2
    fi ;;
  *)
    echo "TENSORFLOW must be 2.15 or 2.20, got ${TENSORFLOW}." >&2
    exit 2 ;;
esac
RUNTIME="${RUNTIME:-${image}}"
WHERE=("--zone=${ZONE}" ${PROJECT:+"--project=${PROJECT}"})

# Prints a command so that it can be pasted.
show() {
  local word quote="'" escaped="'\\''"
  for word in "$@"; do
    if [[ "${word}" =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then
      printf '%s ' "${word}"
    else
      # As ${word@Q}, which the bash of macOS does not know.
      printf "'%s' " "${word//${quote}/${escaped}}"
    fi
  done
  printf '\n'
}

# Runs gcloud compute tpus ..., or prints it.
tpus() {
  if [[ -n "${DRY_RUN:-}" ]]; then
    show gcloud compute tpus "$@" "${WHERE[@]}"
  else
    gcloud compute tpus "$@" "${WHERE[@]}"
  fi
}

# on WORKER COMMAND: runs a command on a worker by its number, or on all.
on() {
  tpus tpu-vm ssh "${TPU_NAME}" "--worker=$1" "--command=$2"
}

# Prints the address of worker 0, by which the other hosts reach it; another
# one after each creation. A dry run prints WORKER_0.
address() {
  if [[ -n "${DRY_RUN:-}" ]]; then
    echo WORKER_0
  else
    gcloud compute tpus tpu-vm describe "${TPU_NAME}" "${WHERE[@]}" \
      '--format=value(networkEndpoints[0].ipAddress)'
  fi
}

# Prints what gcloud tells of a thing, NONE where there is none; fails where it
# cannot tell.
described() {
  local errors result=0
  errors="$(mktemp)"
  gcloud compute tpus "$@" "${WHERE[@]}" 2>"${errors}" || result=$?
  if ((result)) && grep -q NOT_FOUND "${errors}"; then
    echo NONE
    result=0
  elif ((result)); then
    cat "${errors}" >&2
  fi
  rm -f "${errors}"
  return "${result}"
}

# Prints the state of the TPU, such as READY or PREEMPTED.
state() {
  described tpu-vm describe "${TPU_NAME}" '--format=value(state)'
}

# Prints the state of the request for a queued TPU, such as ACCEPTED,
# WAITING_FOR_RESOURCES, FAILED or SUSPENDED.
request_state() {
  described queued-resources describe "${TPU_NAME}" \
    '--format=value(state.state)'
}
