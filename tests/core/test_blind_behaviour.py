"""The scores of the weights that ship: more distortion is hardly ever called better, and maps say where it is."""

import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq

SLACK = {"deepbqa": 5.0, "diqa": 15.0}
"""Points by which a more distorted image may be called better: what the model cards state, and a margin for crops."""


@pytest.mark.parametrize("model", list(SLACK))
@pytest.mark.parametrize("name", ["gaussian_noise", "gaussian_blur", "jpeg"])
def test_more_distortion_is_no_improvement(model, name):
    for photograph in (data.camera(), data.coffee(), data.chelsea()):
        image = photograph[20:276, 100:356]
        axis = None if image.ndim == 2 else -1
        scores = [iq.quality(image, model=model, channel_axis=axis).value]
        for severity in range(1, 6):
            worse = iq.distort(image, name, severity, channel_axis=axis)
            scores.append(iq.quality(worse, model=model, channel_axis=axis).value)
        assert np.max(np.maximum.accumulate(scores) - scores) <= SLACK[model]
        assert scores[-1] > scores[0] + 15


def test_where_a_photograph_is_spoilt_the_error_is_higher():
    image = data.camera()[:384, :384]
    spoilt = image.copy()
    spoilt[128:256, 128:256] = iq.distort(image, "jpeg", 5)[128:256, 128:256]
    inside = (slice(144, 240), slice(144, 240))
    before, after = (iq.perceptual_error_map(one).values for one in (image, spoilt))
    outside = np.ones(image.shape, dtype=bool)
    outside[96:288, 96:288] = False
    assert after[inside].mean() > 1.3 * before[inside].mean()
    assert after[inside].mean() / after[outside].mean() > 1.3 * before[inside].mean() / before[outside].mean()
