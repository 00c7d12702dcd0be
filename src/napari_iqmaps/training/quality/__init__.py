"""Training the blind networks in two stages: first their errors, from undistorted photographs, then their scores.

`recipe` is the recipe of all stages, and `training` runs them. The first is `errors`, fed by `pairs` (what is done to a
photograph) and `teachers` (what measures that know the reference say of it). `sensitivity` is between the stages, for
DeepBQA alone. The second is `scores`, on `bank` (what the first stage's network says of scored images and of distorted
photographs) and `targets` (what they should score). `windows` is the pass over a network that all stages share.
"""
