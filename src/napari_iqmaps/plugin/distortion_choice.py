"""A chooser of distortions: those of the bank that an image can have, by the names that people read."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QComboBox

from ..core.distortions import Distortion, distortion, distortions

_FIRST = "jpeg"
_LETTERS = 10


class DistortionChooser(ComboBox):
    """A chooser among the rows of the bank.

    Notes
    -----
    For a grey image the rows that change only colours stay in the list but cannot be chosen.
    """

    def __init__(self, tooltip: str) -> None:
        choices = [(titled(row), row.name) for row in map(distortion, distortions())]
        super().__init__(name="distortion", label="Distortion", tooltip=tooltip, choices=choices, value=_FIRST)
        # The box is as wide as its place, not as the longest title.
        self.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.native.setMinimumContentsLength(_LETTERS)

    @property
    def row(self) -> Distortion:
        """The row of the bank that is chosen."""
        return distortion(str(self.value))

    def offer_for(self, layer: Any) -> None:
        """Offer what an image can have; a choice that it cannot have gives way to JPEG.

        Parameters
        ----------
        layer : napari.layers.Image or None
            The image; None offers everything.
        """
        in_colour = layer is None or bool(layer.rgb)
        for number, name in enumerate(self.choices):
            self.native.model().item(number).setEnabled(in_colour or not distortion(str(name)).needs_colour)
        if self.row.needs_colour and not in_colour:
            self.value = _FIRST


def titled(row: Distortion) -> str:
    """Name a distortion after its family and itself.

    Returns
    -------
    str
        Such as ``"blur: Defocus"``, so that a list in the bank's order reads by families.
    """
    return f"{row.family}: {row.title}"


def strength_in_words(row: Distortion, severity: float) -> str:
    """Say what a severity means for a distortion.

    Returns
    -------
    str
        The parameter with its value and unit, such as ``"quality 10 of 100"``.
    """
    unit = "" if row.unit in ("1", row.parameter, "photons") else f" {row.unit}"
    return f"{row.parameter} {row.strength(severity):.3g}{unit}"
