"""The terms of the loss, each (or a close family) in a file of its own.

`term` says what one is: a function of the unrolled network and the window. A
term that a user writes is like those here; `losses.LossWeights.auxiliary`
names it.
"""
