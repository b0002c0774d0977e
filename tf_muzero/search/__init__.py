"""Planning: from a network's view of some states to improved policies.

In come the candidates, priors, values and embeddings of B states (RootOutput)
and a function that imagines one step (RecurrentFn); out come visits, improved
weights and values (SearchOutput). `mcts.search` is MuZero's search,
`gumbel.search` the Gumbel one; `candidates` prepares roots, `selection` holds
the rules to choose between.
"""
