"""The judge: sees the same images whatever the method saw, and tells a true motion from a wrong one."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from napari_iqmaps import InputError
from napari_iqmaps.core.comparison.outcome import Rules, judged_matrix, views
from napari_iqmaps.core.comparison.preprocessing import REGISTRATIONS, Frames, method, preprocessing
from napari_iqmaps.core.registration.warp import warp_image

ACCEPTED = {"accepted": True, "reason": "", "inliers": None}
SMOOTH = preprocessing("smooth")


def judged(pair, matrix, scoring=SMOOTH, facts=ACCEPTED):
    return judged_matrix(Frames(), pair, ("m", "f"), method("none"), scoring, Rules(), np.asarray(matrix), facts)


@pytest.mark.parametrize("scoring", ["none", "smooth", "clahe-heavy"])
def test_a_true_motion_is_better_and_its_reverse_worse(shaken, scoring):
    pair, true = (shaken.paths[1], shaken.paths[0]), shaken.motion(1, 0)
    steps = preprocessing(scoring)
    good, bad = judged(pair, true, steps), judged(pair, np.linalg.inv(true), steps)
    assert (good.category, good.verdict) == ("better", "better")
    assert good.score > 0.9
    assert good.local_ncc_after > 0.8 > good.local_ncc_before
    assert bad.soft < 0 < good.soft
    assert good.homography == pytest.approx(true)
    assert (good.method, good.scoring, good.registration) == ("none", scoring, "auto")


def test_q25_judging_on_smaller_images_takes_the_matrix_along(shaken):
    pair, true = (shaken.paths[1], shaken.paths[0]), shaken.motion(1, 0)
    full, half = (judged(pair, true, preprocessing(name)) for name in ("none", "downsample"))
    assert half.local_ncc_after > full.local_ncc_after - 0.05
    assert half.soft > 0.5 * full.soft > 0
    assert half.n_valid == pytest.approx(full.n_valid / 4, rel=0.05)


def test_a_refused_registration_is_not_judged(shaken):
    refused = judged(shaken.paths[:2], np.eye(3), facts={"accepted": False, "reason": "3 inliers", "inliers": 3})
    assert (refused.category, refused.reason, refused.inliers) == ("refused", "3 inliers", 3)
    assert np.isnan(refused.soft)
    assert refused.verdict == ""


def test_no_motion_is_unscored(shaken):
    still = judged(shaken.paths[:2], np.eye(3))
    assert (still.category, still.verdict, still.count) == ("unscored", "unchanged", 0)
    assert still.soft == 0


def test_q26_images_are_preprocessed_before_they_are_resampled(shaken):
    frames, steps = Frames(), preprocessing("clahe-heavy")
    shift = np.array([[1, 0, 9], [0, 1, 0], [0, 0, 1.0]])
    seen = views(frames, (shaken.paths[1], shaken.paths[0]), steps, shift)
    before = frames.prepared(shaken.paths[1], steps).plane
    assert np.array_equal(seen.registered[:, 9:], before[:, :-9])
    assert np.isnan(seen.registered[:, :9]).all()
    assert not seen.valid[:, :9].any()
    assert seen.valid[:, 9:].all()
    # The other way round, the black border gets into the tiles beside it.
    raw = np.array(Image.open(shaken.paths[1]), dtype=np.float32)
    late = steps.apply(np.nan_to_num(warp_image(raw, shift, raw.shape))).plane
    assert np.abs(late - np.nan_to_num(seen.registered))[:, 9:40].mean() > 3


def test_images_of_two_sizes_meet_on_the_fixed_one():
    fixed = data.camera()[120:180, 200:280]
    moving = fixed[8:, :70]
    shift = np.array([[1, 0, 0], [0, 1, 8], [0, 0, 1.0]])
    seen = views(Frames(), (moving, fixed), preprocessing("none"), shift)
    assert seen.moving.shape == seen.registered.shape == seen.fixed.shape == (60, 80)
    assert np.array_equal(seen.registered[8:, :70], moving)
    assert np.array_equal(seen.moving[:52, :70], moving)
    assert np.isnan(seen.moving[52:]).all()
    assert seen.valid.sum() == 52 * 70
    found = judged((moving, fixed), shift, preprocessing("none"))
    assert (found.verdict, found.local_ncc_after) == ("better", pytest.approx(1))


def test_colours_and_grey_meet_and_kept_planes_are_not_written_into(shaken, tmp_path):
    grey = Image.open(shaken.paths[0])
    Image.merge("RGB", [grey] * 3).save(tmp_path / "colours.png")
    frames = Frames()
    planes = [frames.prepared(path, SMOOTH).plane for path in (shaken.paths[0], tmp_path / "colours.png")]
    assert planes[0] == pytest.approx(planes[1], abs=1e-3)
    assert frames.prepared(shaken.paths[0], SMOOTH).plane is planes[0]
    with pytest.raises(ValueError, match="read-only"):
        planes[0][0, 0] = 1


def test_images_that_cannot_be_compared(tmp_path):
    frames = Frames()
    for image, says in (
        (np.zeros((4, 40, 40), np.uint8), "holds a stack of planes"),
        (np.full((40, 40), np.nan), "data_range"),
        (tmp_path / "none.png", "There is no file"),
    ):
        with pytest.raises(InputError, match=says):
            frames.prepared(image, SMOOTH)
    with pytest.raises(InputError, match="no pixel with a value"):
        Frames(data_range=1).prepared(np.full((40, 40), np.nan), SMOOTH)


def test_methods_have_names():
    assert method("none").name == "none"
    assert method("none@auto").name == "none"
    assert method("smooth+none @ fast").name == "smooth@fast"
    assert method("@fast").name == "none@fast"
    assert method("none", "fast").registration == "fast"
    assert method("none@auto", "fast").name == "none@auto"
    assert "matches" not in REGISTRATIONS  # which needs a folder of them
    with pytest.raises(InputError, match="no registration 'magic' to compare"):
        method("none@magic")
