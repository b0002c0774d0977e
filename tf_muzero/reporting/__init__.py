"""Run directories in, their scores out: tables, plots, one page.

`scores` makes returns comparable over tasks, `aggregates` sums them up over
tasks and seeds, `runs` reads what training and evaluation wrote, `groups` puts
runs of one method together. `words` has names for settings, `sections` tells
the results and `provenance` how they were made, in a `document` with `plots`.
"""
