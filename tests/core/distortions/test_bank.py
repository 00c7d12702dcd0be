"""Every row of the bank: what it promises to training, samples and people who reproduce it."""

import subprocess
import sys

import numpy as np
import pytest
from skimage import data, metrics

import napari_iqmaps as iq
from napari_iqmaps.core.distortions import distortion, distortions

SEVERITIES = (1, 2, 3, 4, 5)
PHOTOS = (data.astronaut()[60:188, 120:248], data.coffee()[120:248, 150:278])

# Mean absolute difference in code values at severity 3 on `drawn()`: the bank cannot drift without an edit here.
FROZEN = {
    "gaussian_noise": 15.435,
    "chroma_noise": 22.358,
    "correlated_noise": 7.510,
    "high_frequency_noise": 14.253,
    "shot_noise": 20.586,
    "impulse_noise": 1.208,
    "speckle_noise": 13.994,
    "stripe_noise": 9.020,
    "denoised": 9.891,
    "gaussian_blur": 9.086,
    "defocus_blur": 9.146,
    "motion_blur": 8.451,
    "downsampling": 9.218,
    "jitter": 11.833,
    "oversharpening": 18.537,
    "jpeg": 15.024,
    "jpeg2000": 27.007,
    "quantisation": 11.090,
    "dithering": 17.581,
    "banding": 7.362,
    "contrast_loss": 25.551,
    "contrast_gain": 46.991,
    "brightening": 63.642,
    "darkening": 54.160,
    "gamma_low": 58.567,
    "gamma_high": 63.736,
    "vignetting": 35.292,
    "haze": 60.641,
    "saturation_loss": 24.987,
    "saturation_gain": 49.856,
    "colour_cast": 22.960,
    "colour_diffusion": 15.931,
    "chromatic_aberration": 2.067,
    "block_loss": 2.064,
    "line_loss": 2.718,
    "pixelation": 10.419,
    "misplaced_blocks": 2.362,
}


def drawn():
    """A colour image of edges, ramps and texture that no library's version can change."""
    rows, columns = np.mgrid[:48, :64]
    ramp = 4 * columns
    texture = (rows * 37 + columns * 91 + rows * columns * 13) % 97
    disk = np.where((rows - 24) ** 2 + (columns - 30) ** 2 < 200, 90, 0)
    channels = [60 + ramp // 2, 20 + texture + disk, 200 - 3 * rows + disk // 2]
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


def distort(image, name, severity, **options):
    return iq.distort(image, name, severity, channel_axis=-1, **options)


def squared_error(test, reference):
    return np.mean((test.astype(float) - reference) ** 2)


def test_the_bank_has_what_was_promised():
    names = distortions()
    assert len(names) >= 15
    assert len(set(names)) == len(names)
    promised = (
        "gaussian_noise shot_noise impulse_noise speckle_noise gaussian_blur defocus_blur motion_blur jpeg jpeg2000 "
    )
    promised += (
        "downsampling contrast_loss brightening gamma_high saturation_loss quantisation vignetting haze block_loss"
    )
    assert set(promised.split()) <= set(names)
    families = ("noise", "blur", "coding", "tone", "colour", "loss")
    assert tuple(name for family in families for name in distortions(family=family)) == names


@pytest.mark.parametrize("name", distortions())
def test_a_row_says_how_to_reproduce_it(name):
    row = distortion(name)
    assert row.name == name
    assert row.title
    assert row.parameter
    assert row.unit
    assert row.description.endswith(".")
    steps = np.diff(row.levels)
    assert np.all(steps > 0) or np.all(steps < 0)
    assert [row.strength(severity) for severity in SEVERITIES] == list(row.levels)
    assert row.strength(2.5) == pytest.approx(np.sqrt(row.levels[1] * row.levels[2]))


@pytest.mark.parametrize("name", distortions())
def test_the_seed_decides_and_nothing_else(name):
    image = drawn()
    first = distort(image, name, 4, seed=7)
    np.testing.assert_array_equal(first, distort(image, name, 4, seed=7))
    assert np.array_equal(first, distort(image, name, 4, seed=8)) != distortion(name).is_random
    assert not np.array_equal(first, image)


@pytest.mark.parametrize("name", distortions())
def test_worse_with_severity(name):
    for photo in PHOTOS:
        results = [distort(photo, name, severity) for severity in SEVERITIES]
        errors = [squared_error(result, photo) for result in results]
        unlike = [1 - metrics.structural_similarity(result, photo, channel_axis=-1) for result in results]
        # 1 % of 128 rows or 64 blocks is one, as is the next share; everything else gets worse each time.
        shares = name in ("block_loss", "line_loss", "misplaced_blocks")
        assert errors[0] > 0
        assert np.all(np.diff(errors) >= 0 if shares else np.diff(errors) > 0.1 * np.array(errors[:-1]))
        assert np.all(np.diff(unlike) >= 0 if shares else np.diff(unlike) > 0)
        assert errors[4] > 4 * errors[0]


@pytest.mark.parametrize("name", distortions())
def test_between_whole_severities(name):
    photo = PHOTOS[0]
    errors = [squared_error(distort(photo, name, severity), photo) for severity in (3, 3.5, 4)]
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("name", ["gaussian_noise", "correlated_noise", "shot_noise", "speckle_noise", "stripe_noise"])
def test_noise_grows_in_every_pixel(name):
    image = np.full((40, 50), 0.5)
    weak, strong = (iq.distort(image, name, severity, data_range=1) - image for severity in (1, 1.5))
    np.testing.assert_array_equal(np.sign(weak), np.sign(strong))
    assert np.all(np.abs(strong) >= np.abs(weak))


def test_the_strength_of_noise_is_the_stated_one():
    image = np.full((200, 200), 0.5)
    for name, severity, expected in (
        ("gaussian_noise", 2, 0.04),
        ("correlated_noise", 4, 0.065),
        ("high_frequency_noise", 2, 0.045),
        ("speckle_noise", 3, 0.15 * 0.5),
        ("shot_noise", 1, np.sqrt(0.5 / 400)),
    ):
        noise = iq.distort(image, name, severity, data_range=1) - image
        assert noise.std() == pytest.approx(expected, rel=0.03)
        assert abs(noise.mean()) < 0.01
    changed = iq.distort(image, "impulse_noise", 5, data_range=1)
    assert np.mean(changed != image) == pytest.approx(0.11, abs=0.005)
    assert set(np.unique(changed)) == {0, 0.5, 1}


@pytest.mark.parametrize(
    "name", sorted(set(distortions()) - set(distortions(family="noise")) - {"dithering", "jpeg2000"})
)
def test_grey_is_colour_with_equal_channels(name):
    grey = drawn()[..., 1]
    colour = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    if distortion(name).needs_colour:
        with pytest.raises(iq.InputError, match=f"{name} changes only colours"):
            iq.distort(grey, name, 3)
        return
    expected = iq.distort(grey, name, 3).astype(int)
    # JPEG's own conversion to YCbCr and back may differ by one code value.
    np.testing.assert_allclose(distort(colour, name, 3), np.repeat(expected[..., np.newaxis], 3, axis=-1), atol=1)


def test_colours_change_and_luminance_stays():
    image = 64 + drawn() // 2
    weights = np.array([0.2126, 0.7152, 0.0722])
    for name in ("saturation_loss", "colour_diffusion", "chroma_noise"):
        changed = distort(image, name, 1)
        assert squared_error(changed, image) > 10
        np.testing.assert_allclose(changed @ weights, image @ weights, atol=1)


@pytest.mark.parametrize("name", distortions())
def test_frozen_figure(name):
    image = drawn()
    difference = np.abs(distort(image, name, 3, seed=1).astype(float) - image).mean()
    assert difference == pytest.approx(FROZEN[name], rel=0.01)


def test_the_draw_is_that_of_other_processes():
    code = (
        "import numpy as np, napari_iqmaps as iq; "
        "print(iq.distort(np.full((8, 8), 100, np.uint8), 'gaussian_noise', 3, seed=5).sum())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(other) == iq.distort(np.full((8, 8), 100, np.uint8), "gaussian_noise", 3, seed=5).sum()


@pytest.mark.parametrize("name", distortions())
def test_beyond_the_scale_the_parameter_goes_on_and_keeps_its_meaning(name):
    row = distortion(name)
    for severity in (1, 1.7, 3, 4.99, 5):
        assert row.strength_beyond(severity) == pytest.approx(row.strength(severity))
    first, second, *_, fourth, fifth = row.levels
    assert row.strength_beyond(0) == pytest.approx(first * first / second)
    on = row.strength_beyond(6.3)
    assert on == pytest.approx(fifth * (fifth / fourth) ** 1.3) or on in row.bounds
    if row.parameter.startswith("share"):
        assert row.strength_beyond(40) <= 1
    if row.parameter.startswith("values"):
        assert row.strength_beyond(40) == 2


@pytest.mark.parametrize("severity", [float("nan"), float("inf"), "3", True, None])
def test_severities_beyond_have_to_be_numbers(severity):
    with pytest.raises(iq.InputError, match="give a (finite )?number"):
        distortion("jpeg").strength_beyond(severity)
