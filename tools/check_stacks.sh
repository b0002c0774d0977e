#!/usr/bin/env bash
# Checks that what one stack wrote goes on in another: with each of two Pythons,
# trains catch for a few steps and exports the policy. The other one loads it,
# exports the checkpoint itself, where the model must say the same, goes on with
# the run, and gives it back. It takes some minutes.
#   bash tools/check_stacks.sh .venv/bin/python .venv-3.12/bin/python
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $# == 2 ]] || { echo "Usage: bash $0 PYTHON OTHER_PYTHON" >&2; exit 1; }
directory=$(mktemp -d)
trap 'rm -r "$directory"' EXIT
export CUDA_VISIBLE_DEVICES=''

run() {  # PYTHON COMMAND ...: quietly, but for what goes wrong.
  "$1" -m tf_muzero "${@:2}" >"$directory/log" 2>&1 && return
  tail -n 20 "$directory/log" >&2
  echo "Error: $*" >&2
  exit 1
}

outputs() {  # PYTHON POLICY FILE: writes what its model says of some boards.
  "$1" -c 'import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
boards = np.random.default_rng(0).normal(size=[5, 50]).astype(np.float32)
model.act(boards, np.ones([5], bool), model.get_initial_state(5))
np.savetxt(sys.argv[2], np.concatenate([
    x.numpy().ravel() for x in
    tf.nest.flatten(model.initial_inference(boards, [1, 2]))]))' \
      "$2" "$directory/$3" 2>"$directory/log" && return
  tail -n 20 "$directory/log" >&2
  exit 1
}

check() {  # PYTHON OTHER_PYTHON NAME
  local trained="$directory/$3" policy
  run "$1" collect "$trained-data" --task=catch --num_episodes=20
  local train=(train "$trained" "$trained-data"
    --gin_file=gin/experiment/catch.gin --gin_file=gin/hardware/smoke.gin
    --nojit_compile)
  run "$1" "${train[@]}"
  run "$1" export "$trained" --nojit_compile --output="$trained/one"
  run "$2" export "$trained" --nojit_compile --output="$trained/other"
  outputs "$1" "$trained/one" wanted
  for policy in one other; do
    outputs "$2" "$trained/$policy" got
    "$1" -c 'import sys
import numpy as np
np.testing.assert_allclose(*map(np.loadtxt, sys.argv[1:]), 1e-3, 1e-4)' \
        "$directory/got" "$directory/wanted"
  done
  run "$2" "${train[@]}" --num_steps=4
  run "$1" evaluate "$trained" --num_episodes=4 --num_environments=4
  echo "$2 goes on with what $1 wrote, and $1 again."
}

check "$1" "$2" first
check "$2" "$1" second
