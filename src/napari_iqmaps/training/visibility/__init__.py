"""Training the threshold networks: the P-net, and the contrast model that it has to beat.

`recipe` says what decides a run, `samples` keeps scored images in memory and draws each step's patches, `losses` goes
from thresholds to scores and to what training makes small, and `training` trains. `behaviour` checks on photographs
whether a threshold map makes sense.
"""
