"""Episodes on disk, in and out.

In come episodes that somebody played, out goes an RLDS dataset; in comes any
RLDS directory, out come checked `Episode`s and fixed-shape `Segment`s as
`tf.data`. Rewards and discounts follow the action, from here on everywhere.

In reading order:

  which        reading, locating, opening, dataset, files, subsets, public
  what it is   understanding, layout, entries, stored, stored_actions,
               action_values, ends, adapters, tellings
  out of files records, decoding, checks, skipping, episodes, memory, orders
  from there   survey, observations, segments
  into files   writing
"""
