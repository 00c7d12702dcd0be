"""Tiles equal the whole, dask equals numpy, and work can be watched and stopped."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.core.images import as_planes
from napari_iqmaps.core.tiling import apply, reflected


class WindowMean:
    """Mean over 2 halo + 1 pixels: depends on the whole of its halo, in every direction alike."""

    def __init__(self, halo=5, multiple=4, tile=16):
        self.halo, self.multiple, self.tile = halo, multiple, tile

    def __call__(self, windows):
        total = np.sum(windows, axis=0)
        assert (np.array(total.shape) - 2 * self.halo > 0).all()
        assert ((np.array(total.shape) - 2 * self.halo) % self.multiple == 0).all()
        mean = ndimage.uniform_filter(total, 2 * self.halo + 1)
        return mean[self.halo : -self.halo, self.halo : -self.halo]


def expected(image, halo=5):
    return ndimage.uniform_filter(image.astype(np.float32), 2 * halo + 1, mode="mirror")


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70), st.integers(0, 9))
def test_any_size_and_any_tile_equal_the_image_filtered_whole(height, width, tile, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    result = apply(WindowMean(), [as_planes(image)], tile=tile)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected(image), rtol=1e-4, atol=1e-3)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70), st.integers(1, 30))
def test_dask_equals_numpy_whatever_the_chunks(height, width, tile, chunk):
    image = np.random.default_rng(0).integers(0, 256, (2, height, width)).astype(np.uint8)
    lazy = apply(WindowMean(), [as_planes(da.from_array(image, chunks=chunk))], tile=tile)
    assert lazy.shape == image.shape
    assert lazy.dtype == np.float32
    computed = lazy.compute(scheduler="synchronous")
    assert computed.shape == image.shape
    for plane in range(2):
        np.testing.assert_allclose(computed[plane], expected(image[plane]), rtol=1e-4, atol=1e-3)


def test_nothing_is_computed_before_it_is_asked_for_and_only_what_is_asked_for():
    image = np.random.default_rng(0).integers(0, 256, (4, 64, 64)).astype(np.uint8)
    read = []

    def watch(block, block_info=None):
        read.append(block_info[0]["chunk-location"])
        return block

    source = da.from_array(image, chunks=(1, 64, 64)).map_blocks(
        watch, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8)
    )
    lazy = apply(WindowMean(), [as_planes(source)])
    assert read == []
    lazy[2, :10, :10].compute(scheduler="synchronous")
    assert {location[0] for location in read} == {2}


def test_a_pair_may_mix_lazy_and_eager():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 100, (2, 40, 50)).astype(np.uint8)
    lazy = apply(WindowMean(), [as_planes(first), as_planes(da.from_array(second, chunks=17))])
    np.testing.assert_allclose(lazy.compute(), expected(first) + expected(second), rtol=1e-4)


def test_planes_of_a_stack_do_not_touch():
    image = np.zeros((2, 3, 30, 30), np.uint8)
    image[1, 2] = 200
    result = apply(WindowMean(), [as_planes(image)])
    assert (result[1, 2] == 200).all()
    result[1, 2] = 0
    assert not result.any()


def test_progress_counts_every_tile_once():
    calls = []
    apply(WindowMean(tile=16), [as_planes(np.zeros((2, 40, 33), np.uint8))], progress=lambda *done: calls.append(done))
    assert calls == [(done, 2 * 3 * 3) for done in range(19)]


def test_a_cancel_stops_before_the_next_tile():
    computed = []

    class Counting(WindowMean):
        def __call__(self, windows):
            computed.append(1)
            return super().__call__(windows)

    def progress(done, total):
        if done == 3:
            raise Cancelled("stopped by the test")

    with pytest.raises(Cancelled, match="stopped by the test"):
        apply(Counting(tile=16), [as_planes(np.zeros((80, 80), np.uint8))], progress=progress)
    assert len(computed) == 3


@pytest.mark.parametrize("tile", [0, -4, 2.5, "64", True])
def test_an_impossible_tile_is_refused(tile):
    with pytest.raises(InputError, match="tile is .*at least 1"):
        apply(WindowMean(), [as_planes(np.zeros((9, 9), np.uint8))], tile=tile)


@given(st.integers(1, 12), st.integers(0, 40))
def test_reflection_is_numpys(length, margin):
    line = np.arange(length)
    # numpy repeats the only pixel of a line of one under "edge", where "reflect" is undefined.
    padded = np.pad(line, margin, mode="reflect" if length > 1 else "edge")
    assert np.array_equal(line[reflected(np.arange(-margin, length + margin), length)], padded)
