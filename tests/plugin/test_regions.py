"""A region of interest gives the whole image's values inside, and nothing outside."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Points, Shapes

from napari_iqmaps import InputError, QualityMap, threshold_map, visibility_map
from napari_iqmaps.core.visibility import surroundings
from napari_iqmaps.plugin.layers import pixels_of
from napari_iqmaps.plugin.regions import region_of
from napari_iqmaps.plugin.results import Request

random = np.random.default_rng(3)
IMAGE = random.integers(0, 256, (230, 260), dtype=np.uint8)
BOX = np.array([[101, 83], [101, 132], [140, 132], [140, 83]], float)


def region_in(layer, *shapes, kind="rectangle", **options):
    return region_of(Shapes(list(shapes), shape_type=kind, name="roi", **options), layer, pixels_of(layer).plane_shape)


def run(function, images, region, **options):
    names = ("image",) if function is threshold_map else ("test", "reference")
    pixels = {name: pixels_of(image) for name, image in zip(names, images, strict=True)}
    request = Request(function, pixels, options, region=region, margin=surroundings(**options))
    return request.run(lambda *_: None).quality_map


@pytest.mark.parametrize(("model", "stride"), [("contrast", 4), ("contrast", 8), ("pnet", 8)])
def test_inside_the_region_values_are_those_of_the_whole_image(model, stride):
    layer = Image(IMAGE)
    region = region_in(layer, BOX)
    whole = threshold_map(IMAGE, model=model, stride=stride)
    part = run(threshold_map, [layer], region, model=model, stride=stride)
    inside = np.isfinite(part.values)

    assert part.values.shape == whole.values.shape
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (101, 140, 83, 132)
    np.testing.assert_allclose(part.values[inside], whole.values[inside], rtol=1e-5)
    assert part.score == pytest.approx(whole.values[101:141, 83:133].mean(), rel=1e-5)
    assert part.info["region"] == "roi"
    assert part.info["region_pixels"] == inside.sum()


@pytest.mark.parametrize(
    "looking",
    [{"window": None}, {"window": 151}, {"observer": "practised", "pixels_per_degree": 60}],
    ids=["usual", "wide window", "from afar"],
)
def test_the_difference_is_that_of_the_whole_image_however_far_the_map_looks(looking):
    other = IMAGE // 2 + 64
    other[80:160, 60:155] = IMAGE[80:160, 60:155]  # what is seen in the region comes from around it
    layer, reference = Image(IMAGE), Image(other)
    options = {"model": "contrast", **looking}
    whole = visibility_map(IMAGE, other, **options)
    part = run(visibility_map, [layer, reference], region_in(layer, BOX), **options)
    inside = np.isfinite(part.values)
    assert 0.01 < part.values[inside].mean() < 0.99
    np.testing.assert_allclose(part.values[inside], whole.values[inside], rtol=1e-4)
    expected = QualityMap.of(np.where(inside, whole.values, np.nan), "visibility", whole.info).score
    assert part.score == pytest.approx(expected, rel=1e-4)


def test_regions_at_the_border_and_beyond_it_are_cut_at_the_image():
    layer = Image(IMAGE)
    region = region_in(layer, [[-30, -30], [-30, 20], [25, 20], [25, -30]])
    part = run(threshold_map, [layer], region, model="contrast")
    assert np.isfinite(part.values).sum() == 26 * 21


def test_a_lazy_image_gives_a_lazy_map_with_the_same_values():
    layer = Image(da.from_array(np.stack([IMAGE, 255 - IMAGE]), chunks=(1, 128, 128)))
    region = region_in(layer, BOX)
    lazy = run(threshold_map, [layer], region, model="contrast")
    whole = run(threshold_map, [Image(np.stack([IMAGE, 255 - IMAGE]))], region, model="contrast")
    assert lazy.is_lazy
    np.testing.assert_allclose(lazy.compute().values, whole.values, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(lazy.score), whole.score, rtol=1e-5)


def test_colour_keeps_its_channels():
    layer = Image(np.stack([IMAGE] * 3, axis=-1), rgb=True)
    part = run(threshold_map, [layer], region_in(layer, BOX), model="contrast")
    assert part.values.shape == IMAGE.shape
    assert np.isfinite(part.values).sum() == 40 * 50


def test_transforms_of_both_layers_count():
    layer = Image(IMAGE, scale=(0.5, 0.25), translate=(10, 20), rotate=25)
    corners = [layer.data_to_world(corner) for corner in BOX]
    region = region_in(layer, np.asarray(corners) / 2, kind="polygon", scale=(2, 2))
    straight = region_in(Image(IMAGE), BOX, kind="polygon")
    assert region.corner == pytest.approx(straight.corner, abs=1)
    assert region.mask.mean() > 0.9


def test_shapes_drawn_on_a_plane_hold_for_a_stack():
    layer = Image(np.stack([IMAGE] * 2), scale=(5, 1, 1))
    drawn = np.column_stack([np.ones(4), BOX])
    region = region_in(layer, drawn)
    part = run(threshold_map, [layer], region, model="contrast")
    assert part.values.shape == (2, *IMAGE.shape)
    assert np.isfinite(part.values).sum() == 2 * 40 * 50
    assert part.score.shape == (2,)


def test_an_ellipse_is_round_and_shapes_add_up():
    layer = Image(IMAGE)
    disc = region_in(layer, [[50, 50], [50, 110], [110, 110], [110, 50]], kind="ellipse")
    assert disc.mask.sum() == pytest.approx(np.pi * 30**2, rel=0.03)
    both = region_in(layer, BOX, BOX + 20)
    assert both.mask.sum() == 2 * 40 * 50 - 20 * 30


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ([[10, 10], [50, 50]], "line", "no shape with an area"),
        (BOX + 1000, "rectangle", "No pixel of 'picture' .* lies in the shapes"),
    ],
)
def test_a_region_without_pixels_is_refused(shape, kind, message):
    with pytest.raises(InputError, match=message):
        region_in(Image(IMAGE, name="picture"), shape, kind=kind)


def test_only_shapes_make_a_region():
    with pytest.raises(InputError, match="Points layer"):
        region_of(Points([[1, 2]], name="p"), Image(IMAGE), IMAGE.shape)
