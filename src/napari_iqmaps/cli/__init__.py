"""The command line: one command a capability, over the core alone.

A command's module is imported when the command is called, so that ``iqmaps --help`` answers at once.
"""

from __future__ import annotations

from .group import LazyCommand, LazyGroup

__all__ = ["main"]

_TRAIN = ("lightning", "pandas")

main = LazyGroup(
    name="iqmaps",
    help="Maps that show where an image is good or bad, and for whom.\n\n"
    "Exit status: 0 done, 1 some inputs failed (the others are done) or standard output could not be written, 2 wrong "
    "use, 130 interrupted, 143 and 129 ended by SIGTERM and SIGHUP.",
    package=__name__,
    lazy={
        "demo": LazyCommand("demo:demo", "Show what this package does, on a photo: in napari, or as pictures."),
        "threshold": LazyCommand("threshold:threshold", "Map where a distortion would stay invisible."),
        "visibility": LazyCommand("visibility:visibility", "Map where the difference to a reference is seen."),
        "errors": LazyCommand("errors:errors", "Map errors, reliability and sensitivity, without a reference."),
        "quality": LazyCommand("quality:quality", "Score how good images are, without a reference."),
        "machine": LazyCommand("machine:machine", "Score and map how well a recogniser does on images."),
        "hide": LazyCommand("hide:hide", "Hide a mark so that it is seen nowhere."),
        "register": LazyCommand("register:register", "Register images to another one, or refuse with a reason."),
        "diffdiff": LazyCommand("diffdiff:diffdiff", "Map where a registration made it better or worse."),
        "distort": LazyCommand("distort:distort", "Make distorted copies, of stated kinds and severities."),
        "compare": LazyCommand("compare:compare", "Compare ways to register, on the same pairs of images."),
        "weights": LazyCommand("weights:weights", "List, explain and verify the trained weights."),
        "label": LazyCommand("label:label", "Label distorted pictures with how recognisers do.", "train", _TRAIN),
        "train": LazyCommand("train:train", "Train a network on images with scores.", "train", _TRAIN),
        "evaluate": LazyCommand("evaluate:evaluate", "Compare scores with people's, with intervals.", "train", _TRAIN),
    },
)
