"""Series of frames: each to the first, or to the one before it."""

import cv2
import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.registration.geometry import corner_error

SCENE = cv2.resize(data.camera(), (330, 280), interpolation=cv2.INTER_AREA)
SHAPE = (160, 192)
STEPS = [(0, 0), (4, -3), (9, 2), (15, 6)]


def view(dx, dy):
    """A window of the scene whose content lies dx to the right and dy below that of view(0, 0)."""
    return SCENE[60 - dy : 60 - dy + SHAPE[0], 70 - dx : 70 - dx + SHAPE[1]].copy()


def matrix(dx, dy):
    return np.array([[1.0, 0, -dx], [0, 1, -dy], [0, 0, 1]])


FRAMES = np.stack([view(*step) for step in STEPS])
OPTIONS = {"method": "fast", "transform": "translation"}


@pytest.fixture(scope="module")
def two_frames():
    return iq.register_series(FRAMES[:2], **OPTIONS)


@pytest.mark.parametrize("to", ["first", "previous"])
def test_all_frames_come_to_the_first(to):
    series = iq.register_series(FRAMES, to=to, **OPTIONS)
    assert series.accepted.all(), series.sentence()
    for found, step in zip(series.matrices, STEPS, strict=True):
        assert corner_error(found, matrix(*step), SHAPE) < 0.3
    assert series.registered.shape == FRAMES.shape
    for number in range(1, len(STEPS)):
        both = series.valid[number]
        assert np.abs(series.registered[number].astype(int) - FRAMES[0])[both].mean() < 2
        assert series.frames[number].registered.base is not None  # held once
    assert [row["frame"] for row in series.rows()] == [0, 1, 2, 3]
    assert series.sentence().startswith("4 of 4 frames registered")


@pytest.mark.parametrize("to", ["first", "previous"])
def test_a_frame_that_cannot_be_registered_stops_no_other(to):
    frames = FRAMES.copy()
    frames[2] = 77
    series = iq.register_series(frames, to=to, **OPTIONS)
    assert series.accepted.tolist() == [True, True, False, True]
    assert series.frames[2].reason
    np.testing.assert_array_equal(series.registered[2], frames[2])
    assert corner_error(series.matrices[3], matrix(*STEPS[3]), SHAPE) < 0.5
    assert "refused: 2" in series.sentence()


def test_to_a_fixed_image_of_another_size():
    fixed = SCENE[50:230, 60:270]  # its pixel (0, 0) is (-10, -10) of the first view
    for to in ("first", "previous"):
        series = iq.register_series(FRAMES[:3], fixed, to=to, **OPTIONS)
        assert series.registered.shape == (3, 180, 210)
        for found, (dx, dy) in zip(series.matrices, STEPS[:3], strict=True):
            assert corner_error(found, matrix(dx - 10, dy - 10), SHAPE) < 0.4


def test_colours_keep_their_axis(two_frames):
    frames = np.stack([FRAMES[:2]] * 3, axis=1)
    series = iq.register_series(frames, channel_axis=1, **OPTIONS)
    assert series.registered.shape == frames.shape
    np.testing.assert_array_equal(series.registered[0], frames[0])
    np.testing.assert_allclose(series.matrices, two_frames.matrices, atol=0.1)


def test_a_lazy_series_is_read_frame_by_frame(two_frames):
    dask = pytest.importorskip("dask.array")
    lazy = dask.from_array(FRAMES[:2], chunks=(1, *SHAPE))
    series = iq.register_series(lazy, **OPTIONS)
    np.testing.assert_array_equal(series.registered, two_frames.registered)


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (FRAMES[0], {}, "One image is registered by register"),
        (np.stack([FRAMES] * 2), {}, "Choose one series of the stack"),
        (FRAMES, {"to": "last"}, "to is 'last'; choose 'first' or 'previous'"),
        (FRAMES, {"fixed": FRAMES}, "give one plane"),
        (FRAMES, {"channel_axis": 7}, "channel_axis is 7"),
        (FRAMES, {"channel_axis": "last"}, "channel_axis is 'last'"),
    ],
)
def test_what_is_no_series_is_refused(frames, options, message):
    with pytest.raises(iq.InputError, match=message):
        iq.register_series(frames, **options)


def test_progress_counts_frames_and_cancels():
    calls = []
    iq.register_series(FRAMES[:2], progress=lambda *step: calls.append(step), **OPTIONS)
    assert calls[-1] == (200, 200)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)

    def stop(done, total):
        if done >= 100:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.register_series(FRAMES[:3], progress=stop, **OPTIONS)
