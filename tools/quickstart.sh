#!/usr/bin/env bash
# From nothing to a policy that plans: see tools/quickstart.py, which gets the
# arguments. Makes .venv first if it is missing. Results go to runs/quickstart
# where you are.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/tools/setup_venv.sh"
exec "$root/.venv/bin/python" "$root/tools/quickstart.py" "$@"
