#!/usr/bin/env bash
# Stops training, which saves first, and the reanalyse service.
#   bash tpu/stop.sh [--dry-run]
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

# shellcheck disable=SC2016  # The worker is to expand it.
on all 'for pid in train.pid worker.pid dispatcher.pid; do
  if [ -f $pid ]; then kill $(cat $pid); rm $pid; fi
done'
