"""Plots of score against severity: what is drawn where, whatever the names and the user's settings."""

import json

import matplotlib
import numpy as np
import pytest
from PIL import Image

from napari_iqmaps.core.io.curve_plot import NamedCurve, _panels, write_curves
from napari_iqmaps.core.io.map_file import read_record
from napari_iqmaps.core.machine_curve import MachineCurve
from napari_iqmaps.core.quality_score import QualityScore

BLUE, GREY = (0, 114, 178), (153, 153, 153)


def curve(name, scores, spread=np.nan):
    """Make a curve of scores at 0, 1, 2 ..."""
    qualities = [QualityScore.of(score, uncertainty=spread, lower_is_better=False, range=(0, 1)) for score in scores]
    return MachineCurve.of(name, range(len(scores)), qualities, info={"seed": 3})


def drawn(path, colour, within=0):
    """Give rows and columns of the pixels of a colour; thin lines are mixed with the white beside them."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return np.argwhere((np.abs(pixels - colour) <= within).all(axis=-1))


def test_a_line_falls_as_its_scores_do_and_its_ring_is_where_it_fails(tmp_path):
    write_curves([NamedCurve("a", curve("jpeg", [1, 0.75, 0.25, 0]))], tmp_path / "a.png")
    pixels = drawn(tmp_path / "a.png", BLUE)
    legend = pixels[(pixels[:, 0] < 80) & (pixels[:, 1] > 500)]
    line = pixels[~((pixels[:, 0] < 80) & (pixels[:, 1] > 500))]
    assert len(legend)
    left, right = line[line[:, 1].argmin()], line[line[:, 1].argmax()]
    assert right[0] - left[0] > 300
    # The ring is the tallest thing halfway, and around the score of a half.
    ring = line[np.abs(line[:, 1] - (left[1] + right[1]) / 2) < 12]
    assert ring[:, 0].max() - ring[:, 0].min() > 20
    assert abs((ring[:, 0].min() + ring[:, 0].max()) / 2 - (left[0] + right[0]) / 2) <= 2
    assert read_record(tmp_path / "a.png")["info"] == {"images": ["a"], "seed": 3, "distortion": ["jpeg"]}


def test_bytes_do_not_depend_on_the_users_settings(tmp_path):
    curves = [NamedCurve("a", curve("jpeg", [0.9, 0.4], 0.1))]
    write_curves(curves, tmp_path / "a.png")
    with matplotlib.rc_context({"lines.linewidth": 9, "savefig.dpi": 30, "font.size": 30, "axes.facecolor": "red"}):
        write_curves(curves, tmp_path / "b.png")
        assert matplotlib.rcParams["lines.linewidth"] == 9
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("images", "names", "panels"),
    [
        (["a"], ["jpeg", "haze"], {"a": ["JPEG", "Haze"]}),
        (["a", "b"], ["jpeg", "haze"], {"JPEG": ["a", "b"], "Haze": ["a", "b"]}),
        (["a"], [f"{name}_noise" for name in ("gaussian", "shot", "impulse", "speckle", "stripe", "chroma",
                                              "correlated", "high_frequency")], None),
    ],
)  # fmt: skip
def test_few_distortions_share_a_panel_and_images_do(images, names, panels):
    curves = [NamedCurve(image, curve(name, [0.9, 0.4])) for image in images for name in names]
    found = {panel.title: [line.image for line in panel.lines] for panel in _panels(curves)}
    if panels is None:
        assert (len(found), set(map(tuple, found.values()))) == (8, {("",)})
    else:
        assert found == panels


def test_many_images_are_grey_with_their_mean(tmp_path):
    curves = [NamedCurve(f"{number}", curve("jpeg", [1, number / 8])) for number in range(9)]
    write_curves([*curves, NamedCurve("none", curve("jpeg", [np.nan, np.nan]))], tmp_path / "many.png")
    assert len(drawn(tmp_path / "many.png", GREY, 30)) > 1000
    assert not len(drawn(tmp_path / "many.png", BLUE))


def test_names_are_names_and_missing_scores_are_left_out(tmp_path):
    curves = [
        NamedCurve("_cost$1$", curve("jpeg", [0.9, np.nan, 0.2])),
        NamedCurve("b", curve("jpeg", [np.nan, np.nan, np.nan])),
    ]
    write_curves(curves, tmp_path / "a.png")
    assert len(drawn(tmp_path / "a.png", BLUE)) > 300
    assert json.dumps(read_record(tmp_path / "a.png")["info"]["images"]) == '["_cost$1$", "b"]'
