"""Ports for servers of tests."""

import socket


def free(number):
  """Returns so many ports that nobody listens at."""
  sockets = [socket.socket() for _ in range(number)]
  for each in sockets:
    each.bind(('localhost', 0))
  ports = [each.getsockname()[1] for each in sockets]
  for each in sockets:
    each.close()
  return ports
