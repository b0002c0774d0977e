"""Checks of gin configurations; in come the bindings that `cli` read.

Every binding is resolved to the function that it names (`names`), compared
with that function's signature (`annotations`), and must be reached from the
command (`bindings`). Out goes nothing, or one ConfigError. Only `cli` uses it.
"""
