"""From observations and actions to embeddings, policies, values and rewards.

In come model inputs; out go raw outputs of a Keras network (`state`), what they
mean (`heads`, `value_transform`), and the network as functions of explicit
parameters that a search can plan with (`functional`, `agent`).
"""
