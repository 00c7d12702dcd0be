"""Machine-perceived quality: recognisers, what they say of distorted pictures, and the network that learns to say it.

`pictures` reads labelled pictures. `worker_networks` are small recognisers; `worker_config` is the recipe of their
training, `worker_training` what Lightning trains, and `worker_fit` runs it. `workers` says what a recogniser has to be
to be asked; `opening` opens the user's own, `zoos` those of other packages, `states` reads their weights.
`label_config` says which distorted pictures they are shown, `label_making` asks them, and `labels` reads the table
that comes of it. The modules whose names begin with metrifier train the network on that table, and those with
evaluation judge it.
"""
