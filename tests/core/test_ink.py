"""Words on colours: contrasts against those that the guidelines and common calculators state."""

import pytest

from napari_iqmaps.core.ink import BLACK, WHITE, contrast, ink_on, least_contrast


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(BLACK, WHITE, 21), (WHITE, WHITE, 1), ((0x76 / 255,) * 3, WHITE, 4.54), ((1, 0, 0), WHITE, 4.0)],
)
def test_contrasts_are_those_of_the_guidelines(first, second, expected):
    assert contrast(first, second) == contrast(second, first) == pytest.approx(expected, abs=0.01)


def test_a_clear_colour_says_nothing_of_what_lies_under_it():
    assert least_contrast(WHITE, BLACK, 1) == pytest.approx(21)
    assert least_contrast(WHITE, BLACK, 0) == 1
    assert least_contrast(WHITE, BLACK, 0.5) == pytest.approx(contrast(WHITE, (0.5,) * 3))
    assert least_contrast((0.5,) * 3, BLACK, 0.2) == 1  # some backdrop gives just this grey


def test_the_ink_is_the_one_that_is_read():
    assert ink_on((0.9, 0.9, 0.2)) == BLACK
    assert ink_on((0.1, 0, 0.4), 0.8) == WHITE
