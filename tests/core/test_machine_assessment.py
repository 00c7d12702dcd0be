"""When the evidence is enough for a machine-perceived score."""

import pytest

from napari_iqmaps.core.machine_assessment import judge

GOOD = {"shape": (32, 32), "pixels": 1024, "cells": 64, "spread": 40.0}


def test_a_picture_of_the_training_is_enough():
    assert judge(**GOOD) == (True, "")
    assert judge(**GOOD | {"shape": (128, 400), "trained_side": 32}) == (True, "")


@pytest.mark.parametrize(
    ("less", "has_answer", "reason"),
    [
        ({"pixels": 0, "cells": 0, "spread": float("nan")}, False, "no valid pixel"),
        ({"pixels": 9, "cells": 0}, False, "it has 9 valid pixels, none of them where"),
        ({"shape": (15, 200)}, False, "200 x 15 pixels, and a score takes 16"),
        ({"spread": 0.99}, False, "nearly uniform: its luminance has a standard deviation of 0.99"),
        ({"pixels": 1023}, True, "1023 valid pixels"),
        ({"shape": (129, 400), "trained_side": 32}, True, "400 x 129 pixels, and the network has learnt from"),
    ],
)
def test_less_is_not(less, has_answer, reason):
    verdict = judge(**(GOOD | less))
    assert verdict.has_answer == has_answer
    assert reason in verdict.reason
    assert verdict.reason.endswith(".")
