"""Scores of areas: the whole image's own, what a part says by itself, and why there is none."""

import dask.array as da
import numpy as np
import pytest
import torch

import napari_iqmaps as iq
from napari_iqmaps.core.regions import Area, region_qualities

from .conftest import random_network, written

RNG = np.random.default_rng(2)
IMAGE = RNG.integers(0, 256, (150, 141), dtype=np.uint8)
IMAGE[:, 100:] = 90
WHOLE = Area(np.ones(IMAGE.shape, bool))
PART = Area(RNG.random((64, 70)) < 0.8, (21, 18))


@pytest.fixture(scope="module")
def assessed(blind_weights):
    return iq.assess(IMAGE, weights=blind_weights["deepbqa"])


def test_the_area_of_the_whole_image_has_its_score_and_its_means(assessed):
    (whole,) = region_qualities(assessed, [WHOLE])
    assert whole.quality.value == pytest.approx(assessed.score.value, rel=1e-6)
    assert whole.quality.reasons == assessed.score.reasons
    assert whole.pixels == IMAGE.size
    for kind, result in assessed.maps.items():
        assert whole.means[kind] == pytest.approx(result.score, rel=1e-6)
    row = whole.row(file="a")
    assert (row["file"], row["kind"]) == ("a", "quality")
    assert row["score"] == whole.features()["quality"] == pytest.approx(assessed.score.value, rel=1e-6)
    assert row["mean_error"] == whole.features()["mean_error"]


def test_a_part_has_the_means_of_its_pixels_and_the_score_of_its_cells(assessed):
    (part,) = region_qualities(assessed, [PART])
    mask = np.zeros(IMAGE.shape, bool)
    mask[21:85, 18:88] = PART.mask
    for kind, result in assessed.maps.items():
        assert part.means[kind] == pytest.approx(result.values[mask].mean(dtype=float), rel=1e-6)
    cells = np.zeros(IMAGE.shape, bool)
    cells[::4, ::4] = True
    weight, cost = (assessed.maps[kind].values[mask & cells] for kind in ("reliability", "perceptual_error"))
    pooled = cost.sum(dtype=float) / weight.sum(dtype=float)
    expected = random_network("deepbqa").score(torch.tensor([pooled], dtype=torch.float32)).item()
    assert part.quality.value == pytest.approx(expected, rel=1e-5)
    assert part.quality.value != pytest.approx(assessed.score.value, rel=1e-5)
    assert "valid pixels" in part.quality.reason


def test_areas_without_an_answer_say_why(assessed):
    nothing, uniform, small, line = region_qualities(
        assessed,
        [Area(np.zeros((0, 0), bool)), Area(np.ones((40, 18), bool), (4, 120)), Area(np.ones((20, 20), bool)),
         Area(np.ones((1, 3), bool), (1, 1))],
    )  # fmt: skip
    assert np.isnan([region.quality.value for region in (nothing, uniform, small, line)]).all()
    assert not any(region.quality.enough_evidence for region in (nothing, uniform, small, line))
    assert "no valid pixel" in nothing.quality.reason
    assert np.isnan(list(nothing.means.values())).all()
    assert "20 x 20 pixels" in small.quality.reason
    assert np.isfinite(small.means["error"])
    assert "no valid pixel" in line.quality.reason  # none of its pixels has a cell


def test_a_uniform_area_of_an_image_that_is_not_is_not_scored(blind_weights):
    image = RNG.integers(0, 256, (120, 240), dtype=np.uint8)
    image[:, 120:] = 40
    assessed = iq.assess(image, weights=blind_weights["deepbqa"])
    assert assessed.score.enough_evidence
    (flat,) = region_qualities(assessed, [Area(np.ones((80, 80), bool), (20, 152))])
    assert np.isnan(flat.quality.value)
    assert "nearly uniform" in flat.quality.reason


def test_a_stack_gives_a_score_a_plane_or_that_of_one_plane(blind_weights):
    stack = np.stack([IMAGE, 255 - IMAGE // 2])
    planes = [iq.assess(plane, weights=blind_weights["deepbqa"]) for plane in stack]
    assessed = iq.assess(stack, weights=blind_weights["deepbqa"])
    lazy = iq.assess(da.from_array(stack, chunks=(1, 80, 80)), weights=blind_weights["deepbqa"])
    areas = [WHOLE, Area(PART.mask, PART.corner, (1,))]
    both, one = region_qualities(assessed, areas)
    np.testing.assert_allclose(both.quality.planes, [plane.score.value for plane in planes], rtol=1e-5)
    (alone,) = region_qualities(planes[1], [PART])
    assert one.quality.value == pytest.approx(alone.quality.value, rel=1e-5)
    assert one.quality.planes.shape == ()
    for made, expected in zip(region_qualities(lazy, areas), (both, one), strict=True):
        np.testing.assert_allclose(made.quality.planes, expected.quality.planes, rtol=1e-4)
        np.testing.assert_allclose(list(made.means.values()), list(expected.means.values()), rtol=1e-4)
    assert lazy.is_lazy


def test_what_is_far_from_the_training_is_said_of_its_areas(blind_weights, tmp_path):
    network = random_network("deepbqa")
    network.evidence.limit.fill_(1e-3)
    path = written(network, "deepbqa", tmp_path / "far.safetensors")
    (region,) = region_qualities(iq.assess(IMAGE, weights=path), [WHOLE])
    assert np.isfinite(region.quality.value)
    assert "The whole image: it is unlike" in region.quality.reason


def test_diqa_gives_means_and_no_score(blind_weights):
    assessed = iq.assess(IMAGE, model="diqa", weights=blind_weights["diqa"])
    (region,) = region_qualities(assessed, [PART])
    assert np.isnan(region.quality.value)
    assert "there is no perceptual error" in region.quality.reason
    assert set(region.means) == {"error", "reliability"}


def test_it_tells_progress_and_stops(assessed):
    def stop(done, total):
        seen.append((done, total))
        raise iq.Cancelled

    seen = []
    with pytest.raises(iq.Cancelled):
        region_qualities(assessed, [WHOLE, PART], progress=stop)
    assert seen == [(1, 2)]
