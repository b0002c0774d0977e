"""Studies: grids of runs, and the worker processes that do them.

In come variants, datasets and seeds; out go the commands that make the runs,
done on this machine or written down for others.
"""
