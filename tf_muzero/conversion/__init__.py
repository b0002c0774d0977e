"""Episodes that others recorded, in files of other kinds.

In: a Minari dataset, arrays in HDF5 or npz, or a table of rows. Out: their
episodes, one after the other, and what the file tells of them, as
`trajectories` has them. No environment is needed or made.
"""
