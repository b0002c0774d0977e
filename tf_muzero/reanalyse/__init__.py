"""From stored segments to training windows with fresh targets.

In come segments and snapshots of the parameters. Each stored state is searched
once (`improvement`), value targets are made along the segment
(`value_targets`), and the segment is cut into windows (`windows`). `pipeline`
is all of it as one `tf.data` graph, which runs here or in other processes.
"""
