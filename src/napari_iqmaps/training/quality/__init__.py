"""Training the blind networks in two stages: first their errors, from undistorted photographs, then their scores.

`config` is the recipe of both stages, `fit` runs them. The first is fed by `drawing` (what is done to a photograph),
`teachers` (what measures that know the reference say of it), `pairs` (both, in memory) and `steps`; `error_training` is
what Lightning trains in it. `forward` is the pass over a network that both stages share.
"""
