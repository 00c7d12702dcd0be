"""Maps and scores without a reference, as a user calls them, with random weights and with those that ship."""

import dask.array as da
import numpy as np
import pytest
import torch
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core import models
from napari_iqmaps.core._network_pass import at_pixels
from napari_iqmaps.core.blind import MAPS, MODELS, maps_of, surroundings
from napari_iqmaps.core.models import load_network
from napari_iqmaps.core.networks.blind import pooled

PHOTO = data.camera()[100:251, 180:313]
MARGIN = 64  # a reflected border that is a multiple of four and more than anything reaches

RANDOM = [(model, "random") for model in MODELS]
SHIPPED = [(one["network"], name) for name, one in models.registry().items() if one["network"] in MODELS]


@pytest.fixture(scope="module", params=RANDOM + SHIPPED, ids="-".join)
def options(request, blind_weights):
    """A model and its weights."""
    model, name = request.param
    return {"model": model, "weights": blind_weights[model] if name == "random" else name}


def noisy(image, sigma=12, seed=0):
    return np.clip(image + np.random.default_rng(seed).normal(0, sigma, image.shape), 0, 255).round().astype(np.uint8)


def network_of(options):
    return load_network(models.find(options["weights"], options["model"]), torch.device("cpu"))


def assert_same(one, other):
    """Maps and score of two assessments agree to 1e-4."""
    assert list(one.maps) == list(other.maps)
    for kind, result in one.maps.items():
        values = np.asarray(other.maps[kind].values)
        np.testing.assert_allclose(result.values, values, atol=1e-4, rtol=1e-4, err_msg=kind)
    np.testing.assert_allclose(one.score.planes, other.score.planes, atol=1e-4)


@torch.inference_mode()
def test_the_maps_are_the_network_on_the_reflected_image(options):
    """An independent way: the whole image with a wide border through the network's own forward pass."""
    network = network_of(options)
    rows, columns = (-(-length // 4) * 4 for length in PHOTO.shape)
    border = [(MARGIN, MARGIN + full - length) for full, length in zip((rows, columns), PHOTO.shape, strict=True)]
    wide = torch.from_numpy(np.pad(PHOTO, border, mode="reflect").astype(np.float32))[None, None]
    cells = network(wide)
    first = MARGIN // 4
    inner = [None if one is None else one[..., first : first + rows // 4 + 1, first : first + columns // 4 + 1]
             for one in cells]  # fmt: skip
    error, reliability, sensitivity = inner[0].clamp_min(0), inner[1], inner[2]
    expected = {"error": error, "reliability": reliability}
    if sensitivity is not None:
        expected |= {"sensitivity": sensitivity, "perceptual_error": sensitivity * error * reliability}
    fine = {kind: at_pixels(one)[0, 0, : PHOTO.shape[0], : PHOTO.shape[1]].numpy() for kind, one in expected.items()}
    mean = fine["reliability"].mean(dtype=float)
    found = iq.assess(PHOTO, **options)
    assert list(found.maps) == list(expected)
    for kind, plane in fine.items():
        factor = 1 / mean if kind in ("reliability", "perceptual_error") else 1
        np.testing.assert_allclose(found.maps[kind].values, plane * factor, atol=1e-4, rtol=1e-4, err_msg=kind)

    whole = type(cells)(*(None if one is None else one[..., :-1, :-1] for one in inner))
    if sensitivity is None:
        points = network.score(pooled(whole))
    else:
        weight = reliability[..., :-1, :-1]
        points = network.score(((sensitivity * error)[..., :-1, :-1] * weight).sum()[None] / weight.sum())
    assert found.score.value == pytest.approx(float(points[0]), abs=1e-3)


@pytest.mark.parametrize("options", RANDOM, ids="-".join, indirect=True)  # these are nowhere dead
@pytest.mark.parametrize("tile", [4, 50, 64, 96])
def test_tiles_equal_the_whole(options, tile):
    image, reference = (PHOTO[:30, :41], PHOTO[1:31, :41]) if tile == 4 else (noisy(PHOTO), PHOTO)
    whole = iq.assess(image, reference=reference, **options)
    assert_same(iq.assess(image, reference=reference, tile=tile, **options), whole)


@pytest.mark.parametrize("options", SHIPPED, ids="-".join, indirect=True)  # these know what is enough evidence
def test_dask_equals_numpy_and_is_lazy(options):
    stack = np.stack([PHOTO, noisy(PHOTO)])
    eager = iq.assess(stack, reference=stack[::-1], **options)
    lazy = iq.assess(da.from_array(stack, chunks=(1, 70, 60)), reference=stack[::-1], tile=72, **options)
    assert lazy.is_lazy
    assert all(result.is_lazy for result in lazy.maps.values())
    computed = lazy.compute()
    assert not computed.is_lazy
    assert computed.compute() is computed
    assert_same(computed, eager)
    assert_same(lazy, eager)  # each map and the score in a pass of its own
    assert {kind: "not_enough_evidence" in result.info for kind, result in computed.maps.items()} == {
        kind: "not_enough_evidence" in result.info for kind, result in eager.maps.items()
    }
    scored = iq.quality(da.from_array(stack, chunks=(1, 70, 60)), tile=72, **options)
    np.testing.assert_allclose(scored.planes, eager.score.planes, atol=1e-4)


def test_lazy_maps_that_are_computed_together_take_one_pass(blind_weights, monkeypatch):
    from napari_iqmaps.core.networks.blind import DeepBQA

    calls = []
    sensitivity_of = DeepBQA.sensitivity_of
    monkeypatch.setattr(DeepBQA, "sensitivity_of", lambda *args: calls.append(1) or sensitivity_of(*args))
    lazy = iq.assess(da.from_array(PHOTO), tile=80, weights=blind_weights["deepbqa"])
    assert not calls
    lazy.compute()
    assert len(calls) == lazy.maps["error"].values.npartitions == 2


def test_a_stack_is_its_images(options):
    stack = np.stack([PHOTO, noisy(PHOTO), PHOTO[::-1]])[:, None]
    together = iq.assess(stack, **options)
    assert together.score.planes.shape == (3, 1)
    assert together.score.value == pytest.approx(together.score.planes.mean())
    for index in range(3):
        alone = iq.assess(stack[index, 0], **options)
        assert together.score.planes[index, 0] == pytest.approx(alone.score.value, abs=1e-4)
        for kind, result in alone.maps.items():
            np.testing.assert_allclose(together.maps[kind].values[index, 0], result.values, atol=1e-5, err_msg=kind)


def test_the_same_picture_gives_the_same_answer_whatever_its_type(options):
    expected = iq.assess(PHOTO, **options)
    for image, given in [
        (PHOTO.astype(np.uint16) * 257, {}),
        (PHOTO.astype(">u2") * 257, {}),
        (PHOTO.astype(np.int32) - 100, {"data_range": (-100, 155)}),
        (PHOTO / 255, {"data_range": (0, 1)}),
        (np.repeat(PHOTO[None], 3, axis=0), {"channel_axis": 0}),
    ]:
        assert_same(iq.assess(image, **given, **options), expected)


def test_a_colour_image_is_its_luminance(options):
    astronaut = data.astronaut()[:120, 150:260]
    grey = astronaut @ np.array([0.2126, 0.7152, 0.0722])
    assert_same(iq.assess(astronaut, channel_axis=-1, **options), iq.assess(grey, data_range=255, **options))


def test_an_image_moved_by_whole_cells_has_the_moved_map(options):
    """Away from the border, where another reflection is seen; ratios to the mean are compared as such."""
    wide = data.camera()[96:280, 160:352]
    one, other = (iq.assess(part, **options) for part in (wide[:-8, :-12], wide[8:, 12:]))
    kept = (slice(44, -44), slice(44, -44))
    for kind, result in one.maps.items():
        mine, theirs = result.values[8:, 12:][kept], other.maps[kind].values[:-8, :-12][kept]
        factor = 1.0
        if kind in ("reliability", "perceptual_error"):
            factor = np.median(theirs / np.maximum(mine, 1e-9))
        np.testing.assert_allclose(mine * factor, theirs, atol=1e-4, rtol=1e-4, err_msg=kind)


def test_every_map_alone_is_the_map_of_the_whole_pass(options):
    whole = iq.assess(noisy(PHOTO), reference=PHOTO, **options)
    alone = {
        "objective_error": iq.objective_error_map(noisy(PHOTO), PHOTO),
        "error": iq.error_map(noisy(PHOTO), **options),
        "reliability": iq.reliability_map(noisy(PHOTO)),
    }
    if options["model"] == "deepbqa":
        alone["sensitivity"] = iq.sensitivity_map(noisy(PHOTO), **options)
        alone["perceptual_error"] = iq.perceptual_error_map(noisy(PHOTO), **options)
    assert list(alone) == list(whole.maps) == list(maps_of(options["model"], has_reference=True))
    for kind, result in alone.items():
        assert result.kind == kind
        assert result.info["method"] == f"{kind}_map"
        np.testing.assert_allclose(result.values, whole.maps[kind].values, atol=1e-5, err_msg=kind)
    assert iq.quality(noisy(PHOTO), **options).value == pytest.approx(whole.score.value, abs=1e-4)


def test_maps_come_in_their_order_and_only_those_asked_for(blind_weights):
    options = {"weights": blind_weights["deepbqa"]}
    some = iq.assess(PHOTO, maps=["perceptual_error", "error"], **options)
    assert list(some.maps) == ["error", "perceptual_error"]
    everything = iq.assess(PHOTO, reference=PHOTO, **options)
    assert list(everything.maps) == list(MAPS)
    for kind, result in some.maps.items():
        np.testing.assert_array_equal(result.values, everything.maps[kind].values)
    assert not iq.assess(PHOTO, maps=(), **options).maps


def test_the_reliability_has_the_mean_one_in_every_plane(blind_weights):
    stack = np.stack([PHOTO, noisy(PHOTO)]).astype(np.float32)
    stack[0, :60, :70] = np.nan
    found = iq.assess(stack, data_range=255, weights=blind_weights["deepbqa"]).maps["reliability"]
    np.testing.assert_allclose(found.score, 1, atol=1e-5)
    assert np.nanmin(found.values) >= 0


def test_the_score_follows_from_the_perceptual_error(options):
    if options["model"] == "diqa":
        with pytest.raises(iq.InputError, match="DIQA has no sensitivity"):
            iq.perceptual_error_map(PHOTO, **options)
        return
    found = iq.assess(PHOTO, **options)
    costs, weights_ = (found.maps[kind].values[::4, ::4].astype(float) for kind in ("perceptual_error", "reliability"))
    mean = torch.tensor([costs.mean() / weights_.mean()], dtype=torch.float32)
    with torch.inference_mode():
        assert found.score.value == pytest.approx(float(network_of(options).score(mean)[0]), abs=1e-3)
    assert found.maps["perceptual_error"].score == pytest.approx(float(mean[0]), rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (3, 3), (41, 33)])
def test_every_size_gets_maps_at_every_pixel(options, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = iq.assess(image, reference=image, **options)
    for kind, result in found.maps.items():
        assert result.values.shape == shape
        assert result.values.dtype == np.float32
        # A single pixel is the uniform image of its reflection: no ratio to a mean of nothing.
        assert np.isfinite(result.values).all() or (image.size == 1 and kind in ("reliability", "perceptual_error"))
    assert not found.score.enough_evidence
    assert np.isnan(found.score.value) == (min(shape) < 32)
    assert found.maps["error"].info["not_enough_evidence"] == found.score.reason
    assert "not_enough_evidence" not in found.maps["objective_error"].info


def test_holes_stay_holes_and_reach_no_farther_than_they_must(options):
    image = noisy(PHOTO).astype(np.float32)
    holed = image.copy()
    holed[60:75, 50:66] = np.nan
    holed[0, 0] = np.inf
    masked = np.ma.array(image, mask=np.isnan(holed) | np.isinf(holed))
    whole, found, other = (iq.assess(one, reference=PHOTO.astype(np.float32), data_range=255, **options)
                           for one in (image, holed, masked))  # fmt: skip
    assert_same(found, other)
    far = np.ones(image.shape, bool)
    far[60 - 43 : 75 + 43, 50 - 43 : 66 + 43] = far[:44, :44] = False
    for kind, result in found.maps.items():
        np.testing.assert_array_equal(np.isnan(result.values), masked.mask, err_msg=kind)
        if kind not in ("reliability", "perceptual_error"):
            np.testing.assert_allclose(result.values[far], whole.maps[kind].values[far], atol=1e-5, err_msg=kind)
    filled = holed.copy()
    filled[masked.mask] = 1e30  # whatever stands in a masked pixel is never read
    again = iq.assess(np.ma.array(filled, mask=masked.mask), data_range=255, **options)
    assert again.score.value == pytest.approx(found.score.value, abs=1e-4)


def test_a_hole_in_the_reference_makes_no_error_around_it(blind_weights):
    """What fills the hole of one image must not be held against pixels of the other."""
    reference = PHOTO.astype(np.float32)
    reference[60:80, 60:80] = np.nan
    found = iq.assess(PHOTO.astype(np.float32), reference=reference, data_range=255, weights=blind_weights["deepbqa"])
    np.testing.assert_array_equal(np.isnan(found.maps["objective_error"].values), np.isnan(reference))
    assert np.nanmax(found.maps["objective_error"].values) == 0
    assert np.isfinite(found.maps["error"].values).all()


def test_an_image_of_holes_has_no_answer(options):
    found = iq.assess(np.full((60, 70), np.nan), data_range=1, **options)
    assert np.isnan(found.score.value)
    assert found.score.reasons == ("it has no valid pixel.",)
    for result in found.maps.values():
        assert np.isnan(result.values).all()
        assert "no answer" in result.sentence()


@pytest.mark.parametrize("image", [np.zeros((120, 130), np.uint8), np.full((120, 130), 255, np.uint8)])
def test_a_uniform_image_has_no_score_and_says_why(options, image):
    found = iq.assess(image, **options)
    assert np.isnan(found.score.value)
    assert "nearly uniform" in found.score.sentence()
    assert np.isnan(found.maps["reliability"].values).all()
    assert "nearly uniform" in found.maps["reliability"].sentence()
    assert np.isfinite(found.maps["error"].values).all()
    lazy = iq.assess(da.from_array(image), **options).compute()
    assert lazy.score.reasons == found.score.reasons
    np.testing.assert_array_equal(lazy.maps["reliability"].values, found.maps["reliability"].values)


def test_the_provenance_says_what_a_reader_needs(options):
    found = iq.assess(PHOTO, **options)
    for info in (found.maps["error"].info, found.score.info):
        assert info["model"] == options["model"]
        assert info["weights"] == str(options["weights"])
        assert len(info["weights_sha256"]) == 64
        assert info["data_range"] == (0, 255)
        assert info["version"] == iq.__version__
    assert found.score.info["method"] == "quality"
    assert "weights" not in iq.reliability_map(PHOTO).info


def test_another_image_has_another_score(options):
    """So that no test above compares what is the same for every image."""
    points = iq.quality(np.stack([PHOTO, noisy(PHOTO), PHOTO // 2 + 60]), **options).planes
    assert np.diff(np.sort(points)).min() > 0.01
    assert points.min() > 0
    assert points.max() < 100


def test_progress_counts_tiles_and_can_stop(options):
    calls = []
    iq.assess(PHOTO, tile=100, progress=lambda done, total: calls.append((done, total)), **options)
    assert calls == [(done, 4) for done in range(5)]

    def stop(done, total):
        if done == 1:
            raise iq.Cancelled

    for run in (iq.assess, iq.quality, iq.error_map):
        with pytest.raises(iq.Cancelled):
            run(PHOTO, tile=64, progress=stop, **options)
    with pytest.raises(iq.Cancelled):
        iq.quality(da.from_array(PHOTO), tile=64, progress=stop, **options)


def test_a_part_with_its_surroundings_has_the_map_of_the_whole(options):
    wide = data.camera()[:280, :300]
    reach = surroundings(tile=64)
    top, left, side = 4 * (-(-reach // 4)), 4 * (-(-reach // 4)) + 8, 60
    part = wide[top - 4 * (reach // 4) - 4 : top + side + reach, left - 4 * (reach // 4) - 4 : left + side + reach]
    start = 4 * (reach // 4) + 4
    whole, found = (iq.error_map(one, **options).values for one in (wide, part))
    np.testing.assert_allclose(
        found[start : start + side, start : start + side], whole[top : top + side, left : left + side], atol=1e-5
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_agrees_with_the_cpu(options):
    where = ({"device": "cpu"}, {"device": "cuda"}, {"device": "cuda", "tile": 64})
    on_cpu, on_gpu, tiled = (iq.assess(PHOTO, reference=noisy(PHOTO), **options, **given) for given in where)
    assert_same(on_gpu, on_cpu)
    assert_same(tiled, on_gpu)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "brisque"}, "no blind model 'brisque'"),
        ({"maps": ["beauty"]}, "no blind map 'beauty'"),
        ({"maps": "error"}, r"maps=\['error'\]|such as \['error'\]"),
        ({"maps": ["objective_error"]}, "needs a reference"),
        ({"maps": ["sensitivity"], "model": "diqa"}, "DIQA has no sensitivity"),
        ({"tile": 0}, "tile is 0"),
        ({"device": "abacus"}, "no device 'abacus'"),
        ({"reference": PHOTO[1:]}, "differ in size"),
        ({"channel_axis": 5}, "channel_axis is 5"),
    ],
)
def test_a_wrong_option_is_refused(given, said, blind_weights):
    given = {"weights": blind_weights[given.get("model", "deepbqa")]} | given if "brisque" not in str(given) else given
    with pytest.raises(iq.InputError, match=said):
        iq.assess(PHOTO, **given)


def test_floats_need_a_range_and_shapes_have_to_agree(blind_weights):
    with pytest.raises(iq.InputError, match="data_range"):
        iq.quality(PHOTO / 255, weights=blind_weights["deepbqa"])
    with pytest.raises(iq.InputError, match="The test image and the reference image differ"):
        iq.objective_error_map(PHOTO, PHOTO[:-1])


def test_weights_of_another_network_are_refused(blind_weights, tmp_path):
    with pytest.raises(iq.WeightsError, match="'deepbqa' is needed"):
        iq.quality(PHOTO, weights=blind_weights["diqa"])
    with pytest.raises(iq.WeightsError, match="'diqa' is needed"):
        iq.error_map(PHOTO, model="diqa", weights="pnet")
    from safetensors.torch import save_file

    save_file({"trunk.error.bias": torch.zeros(1)}, tmp_path / "part.safetensors", metadata={"network": "diqa"})
    with pytest.raises(iq.WeightsError, match="do not fit DIQA"):
        iq.error_map(PHOTO, model="diqa", weights=tmp_path / "part.safetensors")
