"""The scripts of tpu/, run with a made-up gcloud."""

import os
import subprocess

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TPU = os.path.join(_ROOT, 'tpu')
_SETTINGS = {'TPU_NAME': 'agent', 'ZONE': 'us-central2-b',
             'ACCELERATOR': 'v4-8', 'START_SECONDS': '0'}


def run(script, *arguments, path=None, **settings):
  """Returns what a script did; `path` has programs that come first."""
  environment = {**os.environ, **_SETTINGS, **settings}
  if path:
    environment['PATH'] = f'{path}:{environment["PATH"]}'
  return subprocess.run(
      ['bash', os.path.join(TPU, script), *arguments], check=False,
      capture_output=True, text=True, env=environment)


def tell(state):
  """Returns what gcloud does for a state, '' where there is nothing."""
  return f'echo {state}' if state else 'echo NOT_FOUND >&2; exit 1'


def make_gcloud(folder, body):
  """Makes a gcloud of lines of bash."""
  fake = folder / 'gcloud'
  fake.write_text(f'#!/usr/bin/env bash\n{body}')
  fake.chmod(0o755)


def make_host(folder):
  """Makes a gcloud that runs what goes to a worker here, in a folder."""
  make_gcloud(folder, f'cd "{folder}"\nfor word in "$@"; do\n'
               '  if [[ "${word}" == --command=* ]]; then\n'
               '    bash -c "${word#*=}" || exit\n  fi\ndone\n')
