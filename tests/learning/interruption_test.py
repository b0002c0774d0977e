"""A second signal, where TensorFlow is in the way of the first one."""

import signal
import subprocess
import sys
import threading
import time

_BUSY = (
    'import hashlib\n'
    'from tf_muzero.learning import interruption\n'
    'with interruption.exiting(interruption.StopOnSignal()):\n'
    "  print('busy', flush=True)\n"
    "  hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)\n")


def test_a_second_signal_ends_a_process_that_heeds_none():
  with subprocess.Popen([sys.executable, '-c', _BUSY],
                        stdout=subprocess.PIPE) as process:
    stop = threading.Timer(60, process.kill)  # If it goes wrong.
    stop.start()
    assert process.stdout.readline() == b'busy\n'
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)  # That it is not heeded.
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 128 + signal.SIGINT
    stop.cancel()
