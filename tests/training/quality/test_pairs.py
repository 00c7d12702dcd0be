"""Pairs: from any picture to luminance in fixed point, and what is refused by name."""

import numpy as np
import pytest
from PIL import Image

from napari_iqmaps import InputError
from napari_iqmaps.core.distortions import distortions
from napari_iqmaps.core.images import as_planes
from napari_iqmaps.training.databases.manifest import read_manifest
from napari_iqmaps.training.quality.pairs import PairBank, as_luminance, draw, fingerprint, read_photograph


def luminance(colours):
    return as_planes(colours, channel_axis=-1).read((), slice(None), slice(None))


@pytest.fixture
def given(tmp_path, photographs):
    """A manifest of two references of different sizes, one with three distorted files and one with one."""
    rows = []
    for number, kinds in ((0, ("jpeg", "noise", "blur")), (3, ("jpeg",))):
        Image.open(photographs[number]).save(tmp_path / f"r{number}.png")
        for level, kind in enumerate(kinds):
            image = Image.open(photographs[number])
            image.point(lambda value, level=level: 8 * level + value // (2 + level)).save(
                tmp_path / f"{number}{kind}.png"
            )
            rows.append(f"{number}{kind}.png,r{number}.png,{level},{kind}\n")
    path = tmp_path / "own.csv"
    path.write_text("# best: 0\n# worst: 9\nfile,reference,score,type\n" + "".join(rows))
    return path


def test_photographs_of_any_size_become_whole_cells(photographs, small_recipe):
    bank = PairBank(small_recipe(), photographs)
    assert [source.reference.shape for source in bank.sources] == [(96, 96), (100, 116), (96, 96), (120, 96)]
    for source, path in zip(bank.sources, photographs, strict=True):
        colours = np.asarray(Image.open(path))
        rows, columns = source.reference.shape
        expected = luminance(colours[:rows, (colours.shape[1] - columns) // 2 :][:, :columns])
        np.testing.assert_allclose(as_luminance(source.reference), expected, atol=1 / 500)


def test_a_pair_is_what_was_drawn_and_made_once(photographs, small_recipe):
    config = small_recipe(seed=4)
    bank, again = PairBank(config, photographs), PairBank(config, photographs[1:2])
    number = next(n for n in range(9) if draw(4, photographs[1].name, n).steps)
    pair = bank.pair(1, number)
    assert bank.pair(1, number) is pair
    expected = draw(4, photographs[1].name, number).applied_to(read_photograph(photographs[1]))
    np.testing.assert_allclose(as_luminance(pair.test), luminance(expected), atol=1 / 500)
    np.testing.assert_array_equal(again.pair(0, number).test, pair.test)  # whatever other photographs there are
    np.testing.assert_array_equal(again.pair(0, number).teachers.visible, pair.teachers.visible)


def test_of_a_large_photograph_the_middle_is_used(tmp_path, small_recipe):
    image = np.random.default_rng(0).integers(0, 256, (90, 131), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "large.png")
    bank = PairBank(small_recipe(middle=64), [tmp_path / "large.png"])
    np.testing.assert_allclose(as_luminance(bank.sources[0].reference), image[13:77, 33:97], atol=1e-3)
    assert not bank.sources[0].colour


def test_sixteen_bits_and_alpha(tmp_path, photographs):
    colours = np.asarray(Image.open(photographs[0]))
    Image.fromarray(np.dstack([colours, colours[..., 0]])).save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "alpha.png"), colours)
    Image.fromarray(colours[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "deep.png"), colours[..., :1])


def test_given_pairs_are_variants_of_their_reference(given, photographs, small_recipe):
    bank = PairBank(small_recipe(), photographs[1:2], [read_manifest(given)])
    assert [bank.count(index) for index in range(3)] == [3, 3, 1]  # of the bank: config.variants
    assert [source.path.name for source in bank.sources] == ["photo1.png", "r0.png", "r3.png"]
    expected = luminance(np.asarray(Image.open(given.parent / "0noise.png")))
    np.testing.assert_allclose(as_luminance(bank.pair(1, 1).test), expected, atol=1 / 500)
    only = PairBank(small_recipe(left_out=("jpeg",)), [], [read_manifest(given)])
    assert [[path.name for path in source.given] for source in only.sources] == [["0noise.png", "0blur.png"]]


def test_what_cannot_be_used_is_named(tmp_path, photographs, given, small_recipe):
    with pytest.raises(InputError, match=r"3 of the 4 photographs are smaller than the windows of 100 .*photo0.png "
                                         r"\(96x96\), photo2.png \(96x96\), photo3"):  # fmt: skip
        PairBank(small_recipe(side=100), photographs)
    with pytest.raises(InputError, match="no photographs to learn from"):
        PairBank(small_recipe(), [])
    with pytest.raises(InputError, match="All distortions are left out"):
        PairBank(small_recipe(left_out=distortions()), photographs)
    Image.fromarray(np.zeros((96, 80, 3), np.uint8)).save(given.parent / "3jpeg.png")
    bank = PairBank(small_recipe(), [], [read_manifest(given)])
    with pytest.raises(InputError, match=r"3jpeg.png has 96x80 pixels and its reference r3.png 120x96"):
        bank.pair(1, 0)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png"):
        PairBank(small_recipe(), [tmp_path / "broken.png"])


def test_a_fingerprint_knows_names_order_and_bytes(tmp_path, photographs):
    found = fingerprint(photographs)
    assert found == fingerprint(photographs)
    assert found != fingerprint(photographs[::-1])
    copy = tmp_path / photographs[0].name
    copy.write_bytes(photographs[0].read_bytes())
    assert fingerprint([copy, *photographs[1:]]) == found
    copy.write_bytes(photographs[1].read_bytes())
    assert fingerprint([copy, *photographs[1:]]) != found
