"""How well scores agree with people's or recognisers': of given weights, or of trainings on what they have not seen.

`evaluator` is the engine: it scores the images of a table, trains on each fold of a protocol, and keeps what is done.
`visibility`, `quality` and `machine` say how each network scores and how it is trained on a fold.
"""
