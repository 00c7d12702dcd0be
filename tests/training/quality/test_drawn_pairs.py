"""What is drawn for a photograph's variants."""

from collections import Counter

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.distortions import distortion, distortions
from napari_iqmaps.training.quality.pairs import HIGHEST_SEVERITY, Drawn, draw, drawing_weights


def many(count=1500, **options):
    return [draw(0, f"photo{number % 30}.jpg", number // 30, **options) for number in range(count)]


def names_of(drawn):
    return [name for each in drawn for name, _ in each.steps]


def test_a_draw_depends_on_seed_photograph_and_variant_alone():
    assert draw(1, "a.jpg", 2) == draw(1, "a.jpg", 2)
    others = {draw(2, "a.jpg", 2), draw(1, "b.jpg", 2), draw(1, "a.jpg", 3), draw(1, "a.jpg", 2)}
    assert len(others) == 4


def test_shares_and_severities():
    drawn = many()
    assert np.mean([not each.steps for each in drawn]) == pytest.approx(0.06, abs=0.025)
    assert np.mean([len(each.steps) == 2 for each in drawn]) == pytest.approx(0.12 * 0.94, abs=0.03)
    first = [each.steps[0][1] for each in drawn if each.steps]
    assert np.histogram(first, 5, (0, HIGHEST_SEVERITY))[0].min() > 0.17 * len(first)
    assert max(each.steps[1][1] for each in drawn if len(each.steps) == 2) <= 4


def test_all_kinds_but_colours_come_and_the_classic_ones_most():
    count = Counter(names_of(many()))
    assert set(count) == set(drawing_weights()) == set(distortions()) - set(distortions(family="colour"))
    assert np.mean([count[name] for name in ("jpeg", "gaussian_blur", "gaussian_noise", "jpeg2000")]) > 2 * np.mean(
        [count[name] for name in ("motion_blur", "shot_noise", "banding", "pixelation", "jitter", "line_loss")]
    )


def test_what_is_left_out_is_never_drawn_and_all_else_stays():
    left_out = ("jpeg", "gaussian_noise")
    everything, less = many(), many(left_out=left_out)
    assert set(names_of(everything)) - set(names_of(less)) == set(left_out)
    for before, after in zip(everything, less, strict=True):
        if not set(left_out) & {name for name, _ in before.steps}:
            assert after == before
        assert [severity for _, severity in after.steps] == [severity for _, severity in before.steps]


def test_grey_photographs_get_no_colour_noise():
    assert "chroma_noise" in names_of(many())
    assert "chroma_noise" not in names_of(many(colour=False))


@pytest.mark.parametrize("name", ["gaussian_blur", "jpeg", "contrast_loss"])
def test_a_drawn_distortion_is_that_of_the_bank(name, photographs):
    image = np.asarray(iq.read_image(photographs[1]).array)
    changed = Drawn(((name, 3.5),), 0).applied_to(image)
    np.testing.assert_array_equal(changed, iq.distort(image, name, 3.5, channel_axis=-1))


@pytest.mark.parametrize("severity", [0.0, HIGHEST_SEVERITY])
def test_every_distortion_works_beyond_the_scale(severity, photographs):
    image = np.asarray(iq.read_image(photographs[0]).array)
    for name in drawing_weights():
        changed = Drawn(((name, severity),), 5).applied_to(image)
        error = np.abs(changed.astype(int) - image).mean()
        on_scale = Drawn(((name, 3.0),), 5).applied_to(image)
        middle = np.abs(on_scale.astype(int) - image).mean()
        assert error < middle if severity == 0 else error > middle, name
        assert distortion(name).bounds[0] <= distortion(name).strength_beyond(severity) <= distortion(name).bounds[1]


def test_two_steps_follow_each_other(photographs):
    image = np.asarray(iq.read_image(photographs[0]).array)
    once = Drawn((("gaussian_blur", 3.0),), 0).applied_to(image)
    twice = Drawn((("gaussian_blur", 3.0), ("jpeg", 4.0)), 0).applied_to(image)
    np.testing.assert_array_equal(twice, Drawn((("jpeg", 4.0),), 0).applied_to(once))
