"""From batches of windows to better weights.

`losses` says what is minimised, `trainer` is the Keras model that minimises it,
`optimizers` how, and `callbacks` everything that happens now and then:
snapshots, checkpoints, metrics, evaluation, and stopping on NaN. `validation`
compares the model with episodes that were held out.
"""
