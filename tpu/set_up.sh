#!/usr/bin/env bash
# Copies this repository, as committed, to all workers and installs what it
# needs there, see tools/install_on_tpu.sh.
#   bash tpu/set_up.sh [--dry-run]
source "$(dirname "${BASH_SOURCE[0]}")/gcloud.sh"

archive=tf_muzero.tar.gz
if [[ -z "${DRY_RUN:-}" ]]; then
  folder="$(mktemp -d)"
  trap 'rm -r "${folder}"' EXIT
  archive="${folder}/tf_muzero.tar.gz"
  git -C "$(dirname "${BASH_SOURCE[0]}")/.." archive --format=tar.gz \
    "--output=${archive}" HEAD
else
  show git archive --format=tar.gz "--output=${archive}" HEAD
fi
tpus tpu-vm scp "${archive}" "${TPU_NAME}:tf_muzero.tar.gz" --worker=all
on all "rm -rf tf_muzero && mkdir tf_muzero &&
tar -xzf tf_muzero.tar.gz -C tf_muzero && cd tf_muzero &&
bash tools/install_on_tpu.sh ${TENSORFLOW} && touch .set_up"
