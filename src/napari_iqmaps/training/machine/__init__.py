"""Machine-perceived quality: recognisers, what they say of distorted pictures, and the network that learns to say it.

`pictures` reads labelled pictures. `workers` says what a recogniser has to be to be asked; `sources` opens the user's
own and those of other packages, and `recognisers` trains small ones. `variants` says which distorted pictures they are
shown, and `labels` asks them and keeps what they say as a table. `metrifier` trains the network on that table. The
recipes of both trainings are in `recipe`.
"""
