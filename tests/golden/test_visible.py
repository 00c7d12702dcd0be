"""Thresholds, visibility and hidden marks."""

from __future__ import annotations

import numpy as np
import pytest

import napari_iqmaps as iq

from .pictures import colour, deep, grey, noisy, stack, with_hole


@pytest.mark.parametrize("model", ["pnet", "contrast"])
def test_threshold_maps(frozen, model):
    options = {"model": model, "device": "cpu"}
    maps = {
        "grey": iq.threshold_map(grey(), **options),
        "colour": iq.threshold_map(colour(), channel_axis=-1, **options),
        "colour first": iq.threshold_map(np.moveaxis(colour(), -1, 0), channel_axis=0, **options),
        "stack": iq.threshold_map(stack(), **options),
        "hole": iq.threshold_map(with_hole(), data_range=1, **options),
        "uint16": iq.threshold_map(deep(), data_range=(1000, 5080), **options),
        "practised": iq.threshold_map(grey(), observer="practised", **options),
        "stride 2, tiles": iq.threshold_map(grey()[:64, :64], stride=2, tile=32, **options),
        "dark room": iq.threshold_map(grey(), peak_luminance=300, black_level=0.5, **options),
    }
    result = {name: {"map": found, "sentence": found.sentence()} for name, found in maps.items()}
    frozen(f"threshold_{model}", result)


@pytest.mark.parametrize("encoding", ["pu21", "pq"])
def test_threshold_maps_of_absolute_light(frozen, encoding):
    light = grey().astype(np.float32) ** 2 / np.float32(20)
    options = {"luminance": "absolute", "encoding": encoding, "device": "cpu"}
    maps = {
        "cd/m2": iq.threshold_map(light, **options),
        "relative": iq.threshold_map(light / 100, data_range=1, **options),
        "display": iq.threshold_map(light, peak_luminance=1000, black_level=0.1, model="contrast", **options),
    }
    frozen(f"threshold_absolute_{encoding}", maps)


@pytest.mark.parametrize("model", ["pnet", "contrast"])
def test_visibility_maps(frozen, model):
    options = {"model": model, "device": "cpu"}
    test = with_hole() + np.float32(0.02)
    light = grey().astype(np.float32)
    maps = {
        "grey": iq.visibility_map(noisy(grey()), grey(), **options),
        "colour": iq.visibility_map(noisy(colour()), colour(), channel_axis=-1, **options),
        "stack": iq.visibility_map(noisy(stack(), 6), stack(), **options),
        "hole": iq.visibility_map(test, grey() / np.float32(255), data_range=1, **options),
        "practised, near": iq.visibility_map(
            noisy(grey(), 3), grey(), observer="practised", pixels_per_degree=20, **options
        ),
        "window": iq.visibility_map(noisy(grey()), grey(), window=9, **options),
        "absolute": iq.visibility_map(light * np.float32(1.05), light, luminance="absolute", **options),
        "the same": iq.visibility_map(grey(), grey(), **options),
    }
    result = {name: {"map": found, "sentence": found.sentence()} for name, found in maps.items()}
    frozen(f"visibility_{model}", result)


def test_hidden_marks(frozen):
    mark = np.zeros((24, 32), np.uint8)
    mark[4:20, 6:10] = mark[8:12, 6:28] = 255
    rgba = np.dstack([mark, mark // 2, mark // 4, np.full_like(mark, 200)])
    ramp = np.tile(np.linspace(-1, 1, 16, dtype=np.float32), (16, 1))
    hidden = {
        "centre": iq.hide(mark, grey(), device="cpu"),
        "tile, colour": iq.hide(rgba, colour(), placement="tile", channel_axis=-1, device="cpu"),
        "stretch, stack": iq.hide(
            mark,
            stack(),
            placement="stretch",
            strength=0.5,
            thresholds=iq.ThresholdOptions(model="contrast"),
            device="cpu",
        ),
        "corner, nearest": iq.hide(mark, grey(), placement=(80, 110), rounding="nearest", device="cpu"),
        "clamp": iq.hide(mark, grey(), mode="clamp", amplitude=40, strength=0.7, device="cpu"),
        "light and dark, hole": iq.hide(ramp, with_hole(), placement="tile", data_range=1, device="cpu"),
        "dark on white": iq.hide(
            255 - mark, grey(), mark_range=(255, 0), thresholds=iq.ThresholdOptions(observer="practised"), device="cpu"
        ),
        "uint16": iq.hide(mark, deep(), placement="tile", data_range=(1000, 5080), device="cpu"),
    }
    result = {
        name: {"hidden": found, "mark score": found.mark_map().score, "sentence": found.sentence()}
        for name, found in hidden.items()
    }
    result["mark map"] = hidden["centre"].mark_map()
    frozen("hide", result)


def test_text_marks(frozen):
    """The letters are drawn by Pillow, whose releases differ a little at the edges."""
    marks = {"small": iq.text_mark("iq", height=20), "large": iq.text_mark("Quality\nmaps"[:7])}
    hidden = iq.hide(
        "iq",
        grey()[:, :120],
        strength=0.5,
        thresholds=iq.ThresholdOptions(model="contrast"),
        placement="stretch",
        device="cpu",
    )
    result = {"marks": marks, "hidden": hidden.mark, "energy": hidden.energy, "info": dict(hidden.info)}
    result["info"] = {name: value for name, value in result["info"].items() if name not in ("version", "device")}
    slack = {"block_means": 0.05, "mean": 0.01, "energy": 0.05, "kept": 0.01, "highest": 0.01}
    frozen("text_mark", result, slack=slack)
