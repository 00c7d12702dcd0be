"""The score against the severity of a distortion, and where it starts to fail."""

import math
import pickle

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.machine_curve import failing_severity

PHOTO = np.ascontiguousarray(data.astronaut()[80:114, 190:230])


@pytest.fixture(scope="module")
def options(machine_weights):
    return {"channel_axis": -1, "weights": machine_weights}


@pytest.fixture(scope="module")
def curve(options):
    return iq.machine_curve(PHOTO, "gaussian_noise", seed=3, **options)


def found(scores, severities=None, fails_below=0.5):
    levels = np.arange(len(scores)) if severities is None else severities
    return failing_severity(np.array(levels, float), np.array(scores, float), fails_below)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.9, 0.7, 0.3, 0.6, 0.1], 1.5),  # the first time, though it comes back
        ([0.9, 0.5, 0.0], 1.0),  # at the limit is not below it
        ([0.75, 0.25], 0.5),
        ([0.4, 0.9], 0.0),
    ],
)
def test_it_fails_where_the_line_first_goes_below(scores, expected):
    assert found(scores) == (pytest.approx(expected), "")


def test_the_reason_says_what_there_is_to_know():
    at, reason = found([0.9, 0.8, 0.85])
    assert math.isnan(at)
    assert reason == "the score does not fall below 0.5: its lowest is 0.80, at severity 1."
    at, reason = found([0.9, math.nan, 0.1])
    assert at == pytest.approx(1)
    assert reason == "There is no score at severity 1."
    at, reason = found([0.2, 0.1], [2, 3])
    assert at == 2
    assert "already at severity 2, the first with one" in reason
    at, reason = found([math.nan, math.nan])
    assert math.isnan(at)
    assert reason == "there is no score at any severity."


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0.05, 0.95))
def test_the_line_through_the_scores_is_at_the_limit_there(scores, limit):
    at, reason = found(scores, fails_below=limit)
    if math.isnan(at):
        assert min(scores) >= limit
        assert reason
    elif at == 0:
        assert scores[0] < limit or scores[1] < limit == scores[0]
    else:
        assert np.interp(at, range(len(scores)), scores) == pytest.approx(limit, abs=1e-9)
        assert min(scores[: math.ceil(at)]) >= limit


def test_a_curve_is_the_scores_of_the_distorted_images(options, curve):
    expected = [
        iq.machine_quality(iq.distort(PHOTO, "gaussian_noise", severity, seed=3, channel_axis=-1), **options).value
        for severity in range(6)
    ]
    np.testing.assert_allclose(curve.scores, expected, atol=1e-6)
    np.testing.assert_array_equal(curve.severities, range(6))
    assert curve.distortion == "gaussian_noise"
    assert [quality.value for quality in curve.qualities] == curve.scores.tolist()
    assert np.ptp(curve.scores) > 1e-3
    assert curve.info["method"] == "machine_curve"
    assert (curve.info["seed"], curve.info["distortion"]) == (3, "gaussian_noise")
    middle = float(np.sort(curve.scores)[:2].mean())
    again = iq.machine_curve(PHOTO, "gaussian_noise", seed=3, fails_below=middle, **options)
    assert again.fails_at == found(expected, fails_below=middle)[0]


def test_the_table_and_the_sentence_hold_what_the_curve_says(curve):
    rows = curve.rows()
    assert [row["severity"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert rows[0]["strength"] is None
    assert rows[5]["strength"] > rows[1]["strength"] > 0
    assert [row["score"] for row in rows] == curve.scores.tolist()
    assert rows[2]["uncertainty"] == pytest.approx(0.1 + 0.1 * curve.scores[2], abs=1e-6)
    assert {row["not_enough_evidence"] for row in rows} == {""}
    said = curve.sentence()
    assert said.startswith("Gaussian noise: the score is")
    assert f"{curve.scores[0]:.2f} at severity 0 and {curve.scores[5]:.2f} at 5" in said
    again = pickle.loads(pickle.dumps(curve))
    assert again.sentence() == said
    assert dict(again.info) == dict(curve.info)


def test_what_has_no_score_is_left_out_with_its_reason(options):
    uniform = np.full((20, 20, 3), 77, np.uint8)
    nothing = iq.machine_curve(uniform, "contrast_loss", severities=(0, 3), **options)
    assert np.isnan(nothing.scores).all()
    assert math.isnan(nothing.fails_at)
    assert nothing.rows()[0]["score"] is None
    assert "nearly uniform" in nothing.rows()[0]["not_enough_evidence"]
    assert "no answer" in nothing.sentence()
    with_noise = iq.machine_curve(uniform, "gaussian_noise", severities=(0, 5), **options)
    np.testing.assert_array_equal(np.isnan(with_noise.scores), [True, False])
    assert "There is no score at severity 0." in with_noise.sentence()


def test_a_stack_has_the_mean_of_its_planes_and_a_dask_array_the_same_curve(options):
    stack = np.moveaxis(np.stack([PHOTO, PHOTO[::-1]]), -1, 0)
    given = options | {"channel_axis": 0, "severities": (0, 2.5)}
    together = iq.machine_curve(stack, "impulse_noise", **given)
    assert together.qualities[1].planes.shape == (2,)
    assert together.scores[1] == pytest.approx(together.qualities[1].planes.mean())
    calls = []
    lazy = iq.machine_curve(
        da.from_array(stack, chunks=20), "impulse_noise", progress=lambda *count: calls.append(count), **given
    )
    np.testing.assert_allclose(lazy.qualities[1].planes, together.qualities[1].planes, atol=1e-5)
    assert [one.reasons for one in lazy.qualities] == [one.reasons for one in together.qualities]
    assert calls[0] == (0, 4)
    assert calls[-1] == (4, 4)


def test_progress_goes_over_all_severities_and_can_stop(options):
    calls = []

    def count(done, total):
        calls.append((done, total))
        if done == 5:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.machine_curve(PHOTO, "jpeg", tile=20, progress=count, **options)
    assert calls[-1] == (5, 24)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"severities": ()}, "give at least one"),
        ({"severities": (0, 2, 2)}, "each above the one before"),
        ({"severities": (0, 0.5)}, "The severity is 0.5"),
        ({"fails_below": 0}, "fails_below is 0"),
        ({"fails_below": "low"}, "fails_below is 'low'"),
        ({"distortion": "dust"}, "dust"),
    ],
)
def test_what_cannot_be_used_is_refused(options, given, message):
    with pytest.raises(iq.InputError, match=message):
        iq.machine_curve(PHOTO, **({"distortion": "jpeg"} | options | given))


def test_a_curve_of_too_small_an_image_says_that_it_is_not_enough(options, curve):
    small = iq.machine_curve(PHOTO[:24, :24], "gaussian_noise", severities=(0, 1), **options)
    assert small.sentence().endswith(
        "Not enough evidence: it has 576 valid pixels; the network learns from pictures of 32 x 32."
    )
    assert "Not enough evidence" not in curve.sentence()
