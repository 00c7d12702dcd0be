"""The errors that the core raises, each with what was wrong, the numbers, and what to do.

One small tree, so that a caller can catch everything of this package with one name and the faces (command
line, plugin) can turn every message into their own form in one place.
"""


class IqmapsError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(IqmapsError, ValueError):
    """An image, a file or an option cannot be used as given; the message says how to mend it."""


class WeightsError(IqmapsError):
    """Trained weights are unknown, missing, changed since they were registered, or of another network."""


class NotEnoughEvidence(IqmapsError):  # noqa: N818 - the public name
    """A number was asked for that the given data cannot support."""


class Cancelled(IqmapsError):  # noqa: N818 - the public name, and no error
    """Raise this inside a ``progress`` callback to stop a long computation cleanly."""
