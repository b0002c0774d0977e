#!/usr/bin/env bash
# Starts the reanalyse service: its dispatcher on worker 0, and a worker on every
# host, which search on its CPUs.
#   bash tpu/reanalyse.sh [--dry-run]
# What runs already is left alone. Prints the settings that make training use it;
# tpu/train.sh puts the address of worker 0 for WORKER_0. Snapshots must be on
# gs:// where there is more than one host, which RUN_DIRECTORY decides.
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

port="${DISPATCHER_PORT:-5050}"
address="$(address)"

# start WORKER ROLE FLAGS: starts a process, unless it runs.
start() {
  on "$1" "cd tf_muzero || exit
if [ -f ../$2.pid ] && kill -0 \$(cat ../$2.pid) 2>/dev/null; then exit; fi
nohup .venv/bin/python -m tf_muzero.reanalyse_service --role=$2 $3 \
  >> ../$2.log 2>&1 < /dev/null &
echo \$! > ../$2.pid"
}

start 0 dispatcher \
  "--port=${port} --host=${address} --work_dir=../dispatcher"
start all worker "--dispatcher=grpc://${address}:${port} \
  --host=\$(hostname -I | cut -d ' ' -f 1)"
echo "--gin_bindings='pipeline.Reanalyse.service = \"grpc://WORKER_0:${port}\"'"
echo '# For networks that see no frames, also:'
echo "--gin_bindings='pipeline.Reanalyse.host_jit = True'"
