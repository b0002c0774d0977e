#!/usr/bin/env bash
# Deletes the TPU with what is on it; what is on gs:// stays.
#   bash tpu/delete.sh [--dry-run] [--queued]
# --queued where it was created so, and where it still waits.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

case "${1:-}" in
  '') tpus tpu-vm delete "${TPU_NAME}" --quiet ;;
  --queued) tpus queued-resources delete "${TPU_NAME}" --force --quiet ;;
  *) echo "Unknown option $1." >&2; exit 2 ;;
esac
