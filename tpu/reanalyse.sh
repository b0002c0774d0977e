#!/usr/bin/env bash
# Starts the reanalyse service: its dispatcher on worker 0, and a worker on every
# host, which search on its CPUs.
#   bash tpu/reanalyse.sh [--dry-run]
# Prints the setting that makes training use it; tpu/train.sh puts the address
# of worker 0 for WORKER_0. Snapshots must be on gs:// where there is more than
# one host, which RUN_DIRECTORY decides.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

port="${DISPATCHER_PORT:-5050}"
address="$(address)"
service='nohup .venv/bin/python -m tf_muzero.reanalyse_service'
on 0 "cd tf_muzero || exit
${service} --role=dispatcher --port=${port} --host=${address} \
  --work_dir=../dispatcher >> ../dispatcher.log 2>&1 < /dev/null &
echo \$! > ../dispatcher.pid"
on all "cd tf_muzero || exit
${service} --role=worker --dispatcher=grpc://${address}:${port} \
  --host=\$(hostname -I | cut -d ' ' -f 1) >> ../worker.log 2>&1 < /dev/null &
echo \$! > ../worker.pid"
echo "--gin_bindings='pipeline.Reanalyse.service = \"grpc://WORKER_0:${port}\"'"
