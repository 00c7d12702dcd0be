"""Pictures of a diff-diff: what is where, in which colour, whatever the user's settings."""

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core.diffdiff import BlockScore, diff_diff_assess, ladder_tolerances, overlay
from napari_iqmaps.core.diffdiff import sheet as drawing
from napari_iqmaps.core.diffdiff.pictures import NINE_TOLERANCES
from napari_iqmaps.core.diffdiff.sheet import Shown, write_diffdiff_sheet, write_ladder, write_overlays
from napari_iqmaps.core.ink import BLACK, READABLE, contrast, least_contrast
from napari_iqmaps.core.io.map_file import read_record

GREEN, PINK = (77, 146, 33), (197, 27, 125)


@pytest.fixture(scope="module")
def shown():
    """Give a pair whose left half the registration repairs, and whose right half it spoils."""
    rng = np.random.default_rng(2)
    fixed = np.kron(rng.integers(60, 200, (12, 16)), np.ones((8, 8))).astype(np.float32)
    moving, registered = fixed.copy(), fixed.copy()
    moving[:, :64] += 40
    registered[:, 64:] += 40
    found = diff_diff_assess(moving, registered, fixed, tol=10, illumination="none", grid=(2, 4), data_range=255)
    values = np.asarray(found.maps["diff_diff"].values)
    return Shown(moving, registered, fixed, values, found.score, "a$1.png on b$2.png")


@pytest.fixture
def axes():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def coloured(path, colour, within=2):
    """Give rows and columns of the pixels of a colour."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return np.argwhere((np.abs(pixels - colour) <= within).all(axis=-1))


@pytest.mark.parametrize("tol", [2.6, 7.3, 50.0])
def test_bins_have_both_tolerances_as_edges_and_lose_no_pixel(tol):
    rng = np.random.default_rng(int(tol))
    values = rng.normal(0, 20, (40, 50)).astype(np.float32)
    values[:2] = np.nan
    values[5, :4] = tol, -tol, 255, -255
    edges, counts = drawing.bins_at_tolerance(values, tol)
    assert np.isclose(edges, tol).any()
    np.testing.assert_allclose(edges, -edges[::-1])
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0])
    assert counts.sum() == np.isfinite(values).sum()
    centres = (edges[:-1] + edges[1:]) / 2
    assert counts[centres > tol].sum() == (values > np.float32(tol)).sum()
    assert counts[centres < -tol].sum() == (values < -np.float32(tol)).sum()


def test_bins_of_a_map_without_any_change_or_answer():
    for values in (np.zeros((4, 4), np.float32), np.full((4, 4), np.nan, np.float32)):
        edges, counts = drawing.bins_at_tolerance(values, 12.0)
        assert edges[-1] == pytest.approx(24)
        assert counts.sum() == np.isfinite(values).sum()


def test_bins_of_next_to_no_tolerance_are_not_too_many(axes):
    values = np.random.default_rng(0).normal(0, 20, (40, 50)).astype(np.float32)
    for tol in (0.0, 1e-9, 0.01):
        _, counts = drawing.bins_at_tolerance(values, tol)
        assert len(counts) <= 202
        assert counts.sum() == values.size
    drawing.draw_histogram(axes, values, 0.0)
    colours = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert colours[0] == drawing.WORSE
    assert colours[-1] == drawing.BETTER
    assert colours.count(drawing.UNCHANGED) == 2


def test_q18_bars_stand_at_the_tolerance(axes, shown):
    drawing.draw_histogram(axes, shown.values, 10.0)
    lines = sorted(line.get_xdata()[0] for line in axes.lines)
    assert lines == [-10, 10]
    colours = {matplotlib.colors.to_hex(bar.get_facecolor()) for bar in axes.patches if bar.get_x() > 9.99}
    assert colours == {drawing.BETTER}
    inside = [bar for bar in axes.patches if abs(bar.get_x() + bar.get_width() / 2) < 10]
    assert {matplotlib.colors.to_hex(bar.get_facecolor()) for bar in inside} == {drawing.UNCHANGED}


def test_the_maps_colours_are_centred_on_no_change(axes, shown):
    picture = drawing.draw_map(axes, shown.values, 10.0)
    low, high = picture.get_clim()
    assert (low, high) == (-high, pytest.approx(40, abs=1e-3))
    left, right = (picture.to_rgba(np.array([[value]]), bytes=True)[0, 0, :3] for value in (40, -40))
    assert left[1] > left[0]  # green: better
    assert right[0] > right[1]  # pink: worse


def test_marks_colour_what_changed_and_nothing_else(shown):
    better, worse = shown.values > 10, shown.values < -10
    colours = drawing.marked(shown.fixed, better, worse)
    assert (colours[:, :64] == GREEN).all()
    assert (colours[:, 64:] == PINK).all()
    none = np.zeros_like(better)
    plain = drawing.marked(shown.fixed, none, none)
    assert (plain == plain[..., :1]).all()
    np.testing.assert_allclose(plain[..., 0], 255 - 0.45 * (255 - shown.fixed), atol=1)


def test_a_large_picture_is_reduced_by_means_and_keeps_its_coordinates(axes):
    values = np.arange(1300 * 700, dtype=np.float32).reshape(1300, 700)
    values[:3, :3] = np.nan
    values[3, 3] = np.nan
    small = drawing.reduced(values, 640)
    assert small.shape == (434, 234)
    assert np.isnan(small[0, 0])
    assert small[1, 1] == pytest.approx(np.nanmean(values[3:6, 3:6]))
    assert small[-1, -1] == pytest.approx(values[-1:, -1:].mean())
    colours = np.zeros((1300, 700, 3), np.uint8)
    drawing.draw_picture(axes, colours, "black")
    assert axes.images[0].get_array().shape == (434, 234, 3)
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 699.5), (1299.5, -0.5))


def block(column, *, evidence, score, scored=True):
    """Give one of four blocks side by side."""
    counts = {"n_valid": 3072, "better": 0, "worse": 0, "count": 0, "gain": 0.0, "soft": 0.0, "shift": 0.0}
    place = {"row": 0, "column": column, "top": 0, "left": 32 * column, "height": 96, "width": 32}
    return BlockScore(**place, **counts, evidence=evidence, score=score, scored=scored)


def test_blocks_tell_evidence_and_share_or_a_dash(axes, shown):
    blocks = [
        block(0, evidence=0.8, score=0.93), block(1, evidence=-0.456, score=0.1),
        block(2, evidence=0.01, score=np.nan, scored=False), block(3, evidence=np.nan, score=np.nan, scored=False),
    ]  # fmt: skip
    drawing.draw_blocks(axes, shown.fixed, blocks, "blocks")
    assert [text.get_text() for text in axes.texts] == ["+0.80\n93 %", "-0.46\n10 %", "+0.01\n-", "-"]
    assert axes.texts[1].get_position() == (47.5, 47.5)
    fills = [patch.get_facecolor() for patch in axes.patches[::2]]
    assert fills[0][1] - fills[0][0] > 0.2  # green
    assert fills[1][0] - fills[1][1] > 0.15  # pink
    assert fills[3][3] == 0
    ink = to_rgb(axes.texts[0].get_color())
    assert all(contrast(ink, fill) > READABLE for fill in fills[:3])


def test_a_map_without_evidence_is_grey_and_stamped(axes, shown):
    picture = drawing.draw_map(axes, shown.values, 10.0, doubtful=True)
    assert np.ptp(picture.to_rgba([-40, 0, 40])[:, :3], axis=1).max() == 0
    assert [text.get_text() for text in axes.texts] == ["Not enough evidence"]


@pytest.mark.parametrize("lean", np.linspace(-1, 1, 9))
def test_black_words_are_read_on_a_block_whatever_the_image(lean):
    *colour, opacity = drawing.block_colour(lean)
    assert least_contrast(BLACK, colour, opacity) > READABLE


def test_blocks_too_small_for_numbers_have_none(shown):
    small = Figure(figsize=(0.7, 0.7)).add_subplot()
    drawing.draw_blocks(small, shown.fixed, shown.score.blocks, "blocks")
    assert not small.texts
    assert len(small.patches) == 2 * 8


def test_the_sheet_shows_both_sides_and_carries_the_score(shown, tmp_path):
    write_diffdiff_sheet(shown, tmp_path / "sheet.png")
    green, pink = (coloured(tmp_path / "sheet.png", colour) for colour in (GREEN, PINK))
    assert len(green) > 500
    assert len(pink) > 500
    record = read_record(tmp_path / "sheet.png")
    assert record["kind"] == "diff_diff_sheet"
    assert record["title"] == "a$1.png on b$2.png"
    assert record["info"]["better"] == record["info"]["worse"] == 96 * 64


def test_a_ladder_loses_pixels_from_rung_to_rung(shown, tmp_path):
    write_ladder(shown, tmp_path / "ladder.png", NINE_TOLERANCES)
    green = coloured(tmp_path / "ladder.png", GREEN)
    height, width = np.asarray(Image.open(tmp_path / "ladder.png")).shape[:2]
    assert {column * 3 // width for column in green[:, 1].tolist()} == {0, 1, 2}
    assert green[:, 0].max() < 0.4 * height  # beyond 10, 20 and 30 of a change by 40
    assert read_record(tmp_path / "ladder.png")["info"]["tolerances"] == list(NINE_TOLERANCES)
    write_ladder(shown, tmp_path / "own.png")
    assert read_record(tmp_path / "own.png")["info"]["tolerances"] == list(ladder_tolerances(shown.values))


@pytest.mark.parametrize("tolerances", [(), (10, -1), (np.nan,)])
def test_a_ladder_needs_tolerances(shown, tmp_path, tolerances):
    with pytest.raises(iq.InputError, match="grey levels of 0 or more"):
        write_ladder(shown, tmp_path / "ladder.png", tolerances)
    assert not list(tmp_path.iterdir())


def test_overlays_stand_side_by_side(shown, tmp_path):
    red = overlay(shown.moving, np.zeros_like(shown.fixed), data_range=255)
    pictures = {"before": red, "after": red[..., [1, 0, 2]]}
    write_overlays(pictures, tmp_path / "o.png", "title")
    pixels = np.asarray(Image.open(tmp_path / "o.png").convert("RGB")).astype(int)
    reds, greens = (np.argwhere(pixels[..., a] - pixels[..., b] > 50)[:, 1] for a, b in ((0, 1), (1, 0)))
    assert reds.max() < greens.min()
    with matplotlib.rc_context({"savefig.dpi": 30, "font.size": 30, "axes.facecolor": "red"}):
        write_overlays(pictures, tmp_path / "again.png", "title")
    assert (tmp_path / "o.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_planes_of_different_sizes_are_refused(shown):
    with pytest.raises(iq.InputError, match=r"one shape; these have \(5, 5\), \(96, 128\)"):
        Shown(shown.moving, shown.registered, shown.fixed, np.zeros((5, 5)), shown.score)


def test_the_picture_of_a_map_has_its_marks(shown, tmp_path):
    quality_map = iq.diff_diff(shown.moving, shown.registered, shown.fixed, tol=10, illumination="none", data_range=255)
    iq.write_map(quality_map, tmp_path / "map.png")
    green, pink = (coloured(tmp_path / "map.png", colour, 0) for colour in (GREEN, PINK))
    assert len(green) == len(pink) == 96 * 64 * 4**2  # enlarged by 4
    assert green[:, 1].max() < pink[:, 1].min()
    assert read_record(tmp_path / "map.png")["info"]["tol"] == 10
