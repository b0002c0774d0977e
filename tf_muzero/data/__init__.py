"""Episodes on disk, in and out.

In come episodes that somebody played, out goes an RLDS dataset; in comes any
RLDS directory, out come checked `Episode`s and fixed-shape `Segment`s as
`tf.data`. Rewards and discounts follow the action, from here on everywhere.
"""
