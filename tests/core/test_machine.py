"""How well a recogniser does, as a user asks for it, with random weights: what is tested holds for any."""

import pickle

import dask.array as da
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core import models
from napari_iqmaps.core.machine import surroundings
from napari_iqmaps.core.models import load_network
from napari_iqmaps.core.networks.metrifier import Metrifier, score_of, with_border

PHOTO = np.ascontiguousarray(data.astronaut()[60:133, 180:271])
SMALL = PHOTO[:32, :32]
COLOUR = {"channel_axis": -1}


@pytest.fixture(scope="module")
def options(machine_weights):
    """Colours in the last axis, and weights."""
    return {"channel_axis": -1, "weights": machine_weights}


@pytest.fixture(scope="module")
def whole(options):
    return iq.machine_assess(PHOTO, **options)


def network_of(options):
    return load_network(models.find(options["weights"], "metrifier"), torch.device("cpu"))


def tensor(image):
    return torch.from_numpy(np.moveaxis(image.astype(np.float32) / 255, -1, 0)[None].copy())


def assert_same(one, other, atol=1e-4):
    """Map and score of two assessments agree."""
    np.testing.assert_allclose(
        np.asarray(one.maps["machine_quality"].values), np.asarray(other.maps["machine_quality"].values), atol=atol
    )
    np.testing.assert_allclose(one.score.planes, other.score.planes, atol=atol)


def cells_of(network, image, border):
    """The network on an image with a reflected border: cells from the image's first pixel on."""
    reach, multiple = Metrifier.REACH, 4
    wide = np.pad(image, ((border, border + 8), (border, border + 8), (0, 0)), mode="reflect")
    cut = border - reach
    with torch.inference_mode():
        cells = torch.sigmoid(network(tensor(wide[cut:, cut:])))[0, 0].numpy()
    return cells, multiple


def at_pixels(cells, distance, shape):
    axes = [distance * np.arange(length) for length in cells.shape]
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return RegularGridInterpolator(axes, cells)(grid)


def test_the_score_of_a_small_picture_is_that_of_the_training(options):
    with torch.inference_mode():
        expected = float(score_of(network_of(options)(with_border(tensor(SMALL)))))
    found = iq.machine_quality(SMALL, **options)
    assert found.value == pytest.approx(expected, abs=1e-5)
    assert found.value == pytest.approx(0.45413, abs=1e-4)  # frozen
    assert found.info["scales"] == (1.0,)
    assert found.enough_evidence


def test_the_map_of_a_small_picture_is_the_network_at_every_fourth_pixel(options):
    picture = PHOTO[:45, :50]
    cells, distance = cells_of(network_of(options), picture, 24)
    found = iq.machine_assess(picture, **options)
    np.testing.assert_allclose(found.maps["machine_quality"].values, at_pixels(cells, distance, (45, 50)), atol=1e-5)
    assert found.score.value == pytest.approx(cells[:12, :13].mean(), abs=1e-5)


def test_a_larger_picture_is_seen_in_half_its_size_as_well(options, whole):
    """An independent way: scipy's blur of the reflected picture, every second pixel, the network, scipy's lines."""
    network, shape = network_of(options), PHOTO.shape[:2]
    wide = np.pad(PHOTO.astype(np.float64), ((80, 80), (80, 80), (0, 0)), mode="reflect")
    for axis in (0, 1):
        wide = ndimage.convolve1d(wide, [0.25, 0.5, 0.25], axis=axis)
    start = 80 - 2 * Metrifier.REACH
    with torch.inference_mode():
        half = torch.sigmoid(network(tensor(wide[start::2, start::2])))[0, 0].numpy()
    fine, _ = cells_of(network, PHOTO, 24)
    expected = (at_pixels(fine, 4, shape) + at_pixels(half, 8, shape)) / 2
    np.testing.assert_allclose(whole.maps["machine_quality"].values, expected, atol=1e-5)
    assert whole.score.value == pytest.approx(expected[::4, ::4].mean(), abs=1e-5)
    assert whole.maps["machine_quality"].info["scales"] == (1.0, 0.5)
    assert iq.machine_quality_map(PHOTO[:63], **options).info["scales"] == (1.0,)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(height=st.integers(16, 73), width=st.integers(16, 91), tile=st.integers(21, 80))
def test_tiles_equal_the_whole(machine_weights, height, width, tile):
    part = PHOTO[:height, :width]
    given = {"channel_axis": -1, "weights": machine_weights}
    assert_same(iq.machine_assess(part, tile=tile, **given), iq.machine_assess(part, tile=200, **given))


def test_dask_equals_numpy_and_is_lazy(options):
    stack = np.stack([PHOTO, PHOTO[::-1]])
    eager = iq.machine_assess(stack, **options)
    lazy = iq.machine_assess(da.from_array(stack, chunks=(1, 40, 60, 2)), tile=72, **options)
    assert lazy.is_lazy
    assert lazy.maps["machine_quality"].is_lazy
    computed = lazy.compute()
    assert not computed.is_lazy
    assert computed.compute() is computed
    assert_same(computed, eager)
    assert_same(lazy, eager)
    np.testing.assert_allclose(computed.maps["machine_quality"].score, eager.maps["machine_quality"].score, atol=1e-4)
    np.testing.assert_allclose(
        np.asarray(lazy.maps["machine_quality"].score), eager.maps["machine_quality"].score, atol=1e-4
    )


def test_the_score_of_a_dask_array_is_made_tile_by_tile_from_one_reading(options):
    reads = []

    def read(block):
        reads.append(block.shape)
        return block

    lazy = da.from_array(PHOTO, chunks=-1).map_blocks(read, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    calls = []
    found = iq.machine_quality(lazy, tile=48, progress=lambda *count: calls.append(count), **options)
    assert calls == [(done, 4) for done in range(5)]
    assert len(reads) == 4  # once for a tile, not once for each of its colours
    assert found.value == pytest.approx(iq.machine_quality(PHOTO, **options).value, abs=1e-5)


def test_a_stack_is_its_images(options, whole):
    stack = np.stack([PHOTO, PHOTO[:, ::-1]])[:, None]
    together = iq.machine_assess(stack, **options)
    assert together.score.planes.shape == together.maps["machine_quality"].score.shape == (2, 1)
    np.testing.assert_allclose(
        together.maps["machine_quality"].values[0, 0], whole.maps["machine_quality"].values, atol=1e-6
    )
    alone = iq.machine_quality(stack[1, 0], **options)
    assert together.score.planes[1, 0] == pytest.approx(alone.value, abs=1e-6)
    assert together.score.value == pytest.approx(together.score.planes.mean())


@pytest.mark.parametrize(
    ("image", "given"),
    [
        (PHOTO.astype(np.uint16) * 257, {}),
        (PHOTO.astype(">u2") * 257, {}),
        (PHOTO.astype(np.int32) - 100, {"data_range": (-100, 155)}),
        (PHOTO / 255, {"data_range": (0, 1)}),
        (np.moveaxis(PHOTO, -1, 0), {"channel_axis": 0}),
        (np.dstack([PHOTO, np.full(PHOTO.shape[:2], 9, np.uint8)]), {}),
    ],
    ids=["uint16", "big endian", "int32", "float", "channels first", "alpha"],
)
def test_the_same_picture_gives_the_same_answer_whatever_its_type(options, whole, image, given):
    assert_same(iq.machine_assess(image, **(options | given)), whole, atol=1e-5)


def test_grey_is_equal_red_green_and_blue_and_colours_count(options, whole):
    grey = PHOTO[..., 1]
    one = iq.machine_assess(grey, weights=options["weights"])
    assert_same(one, iq.machine_assess(np.dstack([grey] * 3), **options), atol=1e-6)
    assert_same(one, iq.machine_assess(grey[..., None], **options), atol=1e-6)
    assert np.abs(one.maps["machine_quality"].values - whole.maps["machine_quality"].values).max() > 1e-3
    assert (
        np.abs(iq.machine_quality_map(PHOTO[..., ::-1], **options).values - whole.maps["machine_quality"].values).max()
        > 1e-3
    )


def test_an_image_moved_by_whole_cells_has_the_moved_map(options):
    wide = data.astronaut()[40:160, 150:280]
    one, other = (iq.machine_quality_map(part, **options).values for part in (wide[:-8, :-16], wide[8:, 16:]))
    kept = (slice(48, -40), slice(48, -40))
    np.testing.assert_allclose(one[8:, 16:][kept], other[:-8, :-16][kept], atol=1e-5)


def test_a_part_with_its_surroundings_has_the_map_of_the_whole(options):
    wide = data.astronaut()[:208, :208]
    reach = surroundings(tile=64)
    whole = iq.machine_quality_map(wide, **options).values
    start = -(-reach // 8) * 8
    part = iq.machine_quality_map(wide[start - start : start + 40 + reach, 8 : start + 48 + reach], **options).values
    place = (slice(start, start + 40), slice(start, start + 40))
    np.testing.assert_allclose(part[place], whole[start : start + 40, start + 8 : start + 48], atol=1e-5)


def test_holes_stay_holes_whichever_colour_has_them(options):
    image = PHOTO.astype(np.float32)
    holed = image.copy()
    holed[30:34, 20:26, 1] = np.nan
    holed[0, 0, 2] = np.inf
    mask = ~np.isfinite(holed)
    given = options | {"data_range": 255}
    found = iq.machine_assess(holed, **given)
    np.testing.assert_array_equal(np.isnan(found.maps["machine_quality"].values), mask.any(-1))
    filled = np.where(mask, np.float32(1e30), image)  # whatever stands in a masked pixel is never read
    assert_same(iq.machine_assess(np.ma.array(filled, mask=mask), **given), found, atol=1e-6)
    # The score is the mean over the cells that are no holes; far from holes nothing changes.
    cells = found.maps["machine_quality"].values[::4, ::4]
    assert found.score.value == pytest.approx(np.nanmean(cells, dtype=float), abs=1e-6)
    unholed = iq.machine_quality_map(image, **given).values
    np.testing.assert_allclose(found.maps["machine_quality"].values[:, 72:], unholed[:, 72:], atol=1e-5)
    lazy = iq.machine_assess(da.from_array(holed, chunks=50), **given).compute()
    assert_same(lazy, found)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (15, 60), (16, 16), (17, 90)])
def test_every_size_gets_a_map_at_every_pixel(options, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    found = iq.machine_assess(image, **options)
    assert found.maps["machine_quality"].values.shape == shape
    assert found.maps["machine_quality"].values.dtype == np.float32
    assert np.isfinite(found.maps["machine_quality"].values).all()
    assert found.score.enough_evidence == (image[..., 0].size >= 1024 and min(shape) >= 16)
    assert np.isnan(found.score.value) == (min(shape) < 16)
    np.testing.assert_array_equal(found.maps["machine_quality"].score, found.score.value)
    assert found.maps["machine_quality"].info.get("not_enough_evidence", "") == found.score.reason


def test_a_uniform_plane_of_a_stack_has_no_score_and_says_why(options):
    stack = np.stack([PHOTO, np.full_like(PHOTO, 90), PHOTO])
    found = iq.machine_assess(stack, **options)
    assert found.score.reasons[0] == found.score.reasons[2] == ""
    assert "plane 1: it is nearly uniform" in found.score.sentence()
    assert "plane 1: it is nearly uniform" in found.maps["machine_quality"].sentence()
    np.testing.assert_array_equal(np.isnan(found.score.planes), [False, True, False])
    np.testing.assert_array_equal(np.isnan(found.maps["machine_quality"].score), [False, True, False])
    lazy = iq.machine_assess(da.from_array(stack), **options).compute()
    assert lazy.score.reasons == found.score.reasons
    assert (
        lazy.maps["machine_quality"].info["not_enough_evidence"]
        == found.maps["machine_quality"].info["not_enough_evidence"]
    )


def test_an_image_of_holes_has_no_answer(options):
    found = iq.machine_assess(np.full((40, 40, 3), np.nan), data_range=1, **options)
    assert found.score.reasons == ("it has no valid pixel.",)
    assert np.isnan(found.maps["machine_quality"].values).all()
    assert "no answer, it has no valid pixel" in found.maps["machine_quality"].sentence()


def test_a_score_goes_up_to_one_and_has_the_uncertainty_of_the_weights(options, whole):
    quality = whole.score
    assert not quality.lower_is_better
    assert quality.range == (0, 1)
    assert 0.001 < quality.value < 0.999
    assert quality.uncertainty == pytest.approx(0.1 + 0.1 * quality.value, abs=1e-6)  # as the fixture wrote it
    assert f"Quality {quality.value:.2f} of 1 (1 best, 0 worst), give or take" in quality.sentence()
    assert iq.machine_quality(PHOTO, **options).value == quality.value
    assert iq.machine_quality_map(PHOTO, **options).score == quality.value
    others = [iq.machine_quality(part, **options).value for part in (255 - PHOTO, PHOTO // 2, PHOTO[:40])]
    assert np.ptp([quality.value, *others]) > 0.01  # so that no test compares what is the same for every image


def test_the_provenance_says_what_a_reader_needs(options, whole):
    for info in (whole.maps["machine_quality"].info, whole.score.info):
        assert info["model"] == "metrifier"
        assert info["weights"] == str(options["weights"])
        assert len(info["weights_sha256"]) == 64
        assert info["data_range"] == (0, 255)
        assert info["version"] == iq.__version__
    assert whole.maps["machine_quality"].info["method"] == "machine_quality_map"
    assert whole.score.info["method"] == "machine_quality"


def test_it_travels_between_processes_and_through_a_file(whole, tmp_path, options):
    again = pickle.loads(pickle.dumps(whole))
    assert again.score.value == whole.score.value
    assert again.maps["machine_quality"].info == whole.maps["machine_quality"].info
    path = iq.write_map(whole.maps["machine_quality"], tmp_path / "map.tif")
    read = iq.read_map(path)
    np.testing.assert_array_equal(read.values, whole.maps["machine_quality"].values)
    assert read.score == whole.maps["machine_quality"].score
    lazy = pickle.loads(pickle.dumps(iq.machine_assess(da.from_array(PHOTO), **options)))
    assert lazy.compute().score.value == pytest.approx(whole.score.value, abs=1e-5)


def test_progress_counts_tiles_and_can_stop(options):
    calls = []
    iq.machine_quality_map(PHOTO, tile=48, progress=lambda done, total: calls.append((done, total)), **options)
    assert calls == [(done, 4) for done in range(5)]

    def stop(done, total):
        if done == 1:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.machine_quality(PHOTO, tile=48, progress=stop, **options)


def test_what_cannot_be_used_is_refused(options, blind_weights):
    with pytest.raises(iq.InputError, match="black and white cannot be known"):
        iq.machine_quality(PHOTO / 255, **options)
    with pytest.raises(iq.InputError, match="tile is 0"):
        iq.machine_quality(PHOTO, tile=0, **options)
    with pytest.raises(iq.InputError, match="no device 'abacus'"):
        iq.machine_quality(PHOTO, device="abacus", **options)
    with pytest.raises(iq.WeightsError, match="'metrifier' is needed here"):
        iq.machine_quality(PHOTO, channel_axis=-1, weights=blind_weights["diqa"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same(options, whole):
    assert_same(iq.machine_assess(PHOTO, device="cuda", **options), whole)
