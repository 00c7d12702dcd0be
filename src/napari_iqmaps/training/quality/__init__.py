"""Training the blind networks in two stages: first their errors, from undistorted photographs, then their scores.

`config` is the recipe of both stages, `fit` runs them. The first is fed by `drawing` (what is done to a photograph),
`teachers` (what measures that know the reference say of it), `pairs` (both, in memory) and `steps`; `error_training` is
what Lightning trains in it. The second is run by `score_fit`, on `score_bank`: what the first stage's network says of
scored images and of distorted photographs, which `score_keeping` writes to a file; `score_steps` draws from it,
`score_training` is what Lightning trains, and `score_evidence` tells the result its limits. `forward` is the pass over
a network that both stages share.
"""
