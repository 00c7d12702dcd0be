"""The shipped thresholds make sense on photographs and flat fields that no training image enters."""

import pytest

from napari_iqmaps.core.visibility import MODELS
from napari_iqmaps.training.visibility.behaviour import (
    PHOTOGRAPHS,
    PUBLISHED_RATIO,
    flat_thresholds,
    photograph_behaviour,
)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_texture_hides_at_equal_luminance(model, name):
    found = photograph_behaviour(name, model)
    assert found.band_correlation >= 0.6
    assert found.correlation >= 0.6
    assert found.textured > found.flat
    assert 0.6 < found.ratio / PUBLISHED_RATIO < 1.4


@pytest.mark.parametrize("model", MODELS)
def test_flat_fields_are_low_whether_dark_or_bright(model):
    thresholds = flat_thresholds(model).values()
    assert max(thresholds) < 1.2 * min(thresholds)
    assert max(thresholds) < photograph_behaviour("camera", model).textured / 1.5
