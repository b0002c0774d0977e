#!/usr/bin/env bash
# Stops training, which saves first, and then the reanalyse service: the learner
# steps under way still need its windows.
#   bash tpu/stop.sh [--dry-run]
# Waits until training has ended. A second one beside it ends it at once.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

# shellcheck disable=SC2016  # The worker is to expand it.
on 0 'if [ -f train.pid ]; then
  kill $(cat train.pid)
  while kill -0 $(cat train.pid) 2>/dev/null; do sleep 1; done
  rm train.pid
fi'
# shellcheck disable=SC2016
on all 'for pid in worker.pid dispatcher.pid; do
  if [ -f $pid ]; then kill $(cat $pid); rm $pid; fi
done'
