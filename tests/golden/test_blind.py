"""What is said of an image without a reference, for people and for machines."""

from __future__ import annotations

import numpy as np
import pytest

import napari_iqmaps as iq

from .pictures import colour, deep, grey, noisy, stack, with_hole

IMAGES = {
    "grey": (grey, {}),
    "colour": (colour, {"channel_axis": -1}),
    "stack": (stack, {}),
    "hole": (with_hole, {"data_range": 1}),
    "uint16": (deep, {"data_range": (1000, 5080)}),
    "tiles": (lambda: noisy(grey()), {"tile": 64}),
    "small": (lambda: grey()[:40, :40], {}),
    "uniform": (lambda: np.full((64, 64), 90, np.uint8), {}),
}

SHOWN = ("grey", "colour", "hole", "tiles")
"""Images whose blind maps are kept whole; of the others, scores and words."""


def told(quality: iq.QualityScore) -> dict[str, object]:
    return {"score": quality, "reason": quality.reason, "sentence": quality.sentence()}


@pytest.mark.parametrize("model", ["deepbqa", "diqa"])
def test_assessments(frozen, model):
    result = {}
    for name, (image, options) in IMAGES.items():
        found = iq.assess(image(), model=model, device="cpu", **options)
        result[name] = {"maps": dict(found.maps), **told(found.score)}
        if name not in SHOWN:
            result[name]["maps"] = {kind: one.score for kind, one in found.maps.items()}
    clean, test = grey(), noisy(grey())
    found = iq.assess(test, reference=clean, model=model, device="cpu")
    result["with a reference"] = {"maps": dict(found.maps), **told(found.score)}
    found = iq.assess(test, maps=["error"], model=model, device="cpu")
    result["one map"] = {"maps": dict(found.maps), **told(found.score)}
    frozen(f"assess_{model}", result)


@pytest.mark.parametrize("model", ["deepbqa", "diqa"])
def test_scores_and_single_maps(frozen, model):
    large = np.tile(noisy(grey()), (2, 2))[:160]
    result = {
        "quality": told(iq.quality(large, model=model, device="cpu")),
        "quality of a stack": told(iq.quality(stack(), model=model, device="cpu")),
        "error": iq.error_map(colour(), model=model, channel_axis=-1, device="cpu"),
    }
    if model == "deepbqa":
        result["sensitivity"] = iq.sensitivity_map(colour(), channel_axis=-1, device="cpu")
        result["perceptual error"] = iq.perceptual_error_map(colour(), channel_axis=-1, device="cpu")
    else:
        with pytest.raises(iq.InputError) as refusal:
            iq.sensitivity_map(grey(), model="diqa")
        result["refusal"] = str(refusal.value)
    result["sentence"] = result["error"].sentence()
    frozen(f"quality_{model}", result)


def test_maps_without_a_network(frozen):
    maps = {
        "reliability": iq.reliability_map(grey(), device="cpu"),
        "reliability, colour": iq.reliability_map(colour(), channel_axis=-1, device="cpu"),
        "reliability, hole": iq.reliability_map(with_hole(), data_range=1, device="cpu"),
        "error": iq.objective_error_map(noisy(grey()), grey(), device="cpu"),
        "error, stack": iq.objective_error_map(noisy(stack()), stack(), device="cpu"),
        "error, hole": iq.objective_error_map(with_hole(), deep() / np.float32(5080), data_range=1, device="cpu"),
    }
    result = {name: {"map": found, "sentence": found.sentence()} for name, found in maps.items()}
    frozen("closed_forms", result)


def test_machine_assessments(frozen):
    result = {}
    for name, (image, options) in IMAGES.items():
        found = iq.machine_assess(image(), device="cpu", **options)
        result[name] = {"map": found.maps["machine_quality"], **told(found.score)}
    result["quality"] = told(iq.machine_quality(noisy(stack()), device="cpu"))
    result["map"] = iq.machine_quality_map(colour(), channel_axis=-1, device="cpu")
    result["sentence"] = result["map"].sentence()
    frozen("machine", result)


def test_machine_curves(frozen):
    found = {
        "blur": iq.machine_curve(grey(), "gaussian_blur", device="cpu"),
        "noise": iq.machine_curve(
            colour(), "gaussian_noise", severities=(0, 1.5, 5), seed=4, fails_below=0.2, channel_axis=-1, device="cpu"
        ),
        "never": iq.machine_curve(grey(), "gamma_low", severities=(0, 1), fails_below=0.01, device="cpu"),
    }
    result = {
        name: {"curve": curve, "rows": curve.rows(), "sentence": curve.sentence()} for name, curve in found.items()
    }
    frozen("machine_curve", result)
