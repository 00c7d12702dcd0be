"""Kinds, distortions, light, files and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq

from .pictures import colour, deep, grey, noisy, stack, with_hole


def few(image: np.ndarray) -> dict[str, object]:
    """Reduce a picture to a few numbers; the means of its quarters see where it changed."""
    values = image.astype(np.float64)
    rows, columns = np.array_split(values, 2, axis=0), lambda part: np.array_split(part, 2, axis=1)
    quarters = [float(part.mean()) for half in rows for part in columns(half)]
    steps = [float(np.abs(np.diff(values, axis=axis)).mean()) for axis in (0, 1)]
    return {
        "dtype": str(image.dtype), "shape": list(image.shape), "min": float(values.min()), "max": float(values.max()),
        "std": float(values.std()), "quarters": quarters, "steps": steps,
    }  # fmt: skip


def test_kinds(frozen):
    values = np.linspace(0.01, 0.9, 40).reshape(5, 8)
    info = {"mixing": 0.2, "tol": 0.1}
    result = {}
    for name, kind in iq.KINDS.items():
        words = {part: getattr(kind, part) for part in ("name", "title", "unit", "colormap", "low_means", "high_means")}
        pooled = np.asarray(kind.pooled(values, info))
        result[name] = {
            **words,
            "limits": [str(limit) for limit in kind.limits],
            "score_means": kind.score_means,
            "fixed_scale": kind.fixed_scale,
            "is_signed": kind.is_signed,
            "display_limits": kind.display_limits(values),
            "pooled": pooled,
            "score": kind.from_mean(float(pooled.mean())),
            "made": iq.QualityMap.of(values.astype(np.float32), name, info),
        }
    frozen("kinds", result)


def test_distortions(frozen):
    """Codecs and resampling come from Pillow, OpenCV and SciPy, whose releases may differ by a grey level somewhere."""
    of_colour = set()
    for name in iq.distortions():
        try:
            iq.distort(grey()[:32, :32], name, 1)
        except iq.InputError:
            of_colour.add(name)
    result = {
        "of colour": sorted(of_colour),
        "names": iq.distortions(),
        "families": {
            name: iq.distortions(family=name) for name in ("noise", "blur", "coding", "tone", "colour", "loss")
        },
        "severity 3": {name: few(iq.distort(colour(), name, 3, channel_axis=-1)) for name in iq.distortions()},
        "severity 1.5, grey": {
            name: few(iq.distort(grey(), name, 1.5, seed=2)) for name in iq.distortions() if name not in of_colour
        },
    }
    result["float with a hole"] = iq.distort(with_hole(), "gaussian_blur", 2, data_range=1)
    result["uint16"] = iq.distort(deep(), "gaussian_noise", 2, data_range=(1000, 5080))
    result["stack"] = iq.distort(stack(), "jpeg", 4)
    frozen("distortions", result, slack={"min": 1.0, "max": 1.0, "quarters": 0.02, "std": 0.02, "steps": 0.02})


def test_codes_of_light(frozen):
    light = np.array([0.0, 0.005, 0.1, 1, 5, 10, 50, 100, 200, 1000, 4000, 10000])
    frozen("codes_of_light", {"pq": iq.pq(light), "pu21": iq.pu21(light)})


def test_maps_in_files(frozen, tmp_path):
    maps = {
        "grey": iq.threshold_map(grey(), model="contrast", device="cpu"),
        "hole": iq.reliability_map(with_hole(), data_range=1, device="cpu"),
        "stack": iq.visibility_map(noisy(stack()), stack(), model="contrast", device="cpu"),
        "signed": iq.diff_diff(noisy(grey(), 40), noisy(grey(), 5), grey(), illumination="none"),
    }
    result = {}
    for name, one in maps.items():
        kept = iq.write_map(one, tmp_path / f"{name}.tiff")
        read = iq.read_map(kept)
        assert np.array_equal(read.values, one.values, equal_nan=True)
        result[name] = {"read": read, "pixels": iq.read_image(kept).array}
    frozen("map_files", result, slack={"better": 2, "worse": 2})


def test_images_in_files(frozen, tmp_path):
    Image.fromarray(colour()).save(tmp_path / "colour.png")
    Image.fromarray(grey()).save(tmp_path / "grey.bmp")
    Image.fromarray(deep()).save(tmp_path / "deep.png")
    Image.fromarray(np.dstack([colour(), grey()])).save(tmp_path / "alpha.png")
    Image.fromarray(grey()).save(tmp_path / "one.tif")
    frames = [Image.fromarray(plane) for plane in stack()]
    frames[0].save(tmp_path / "stack.tif", save_all=True, append_images=frames[1:])
    result = {}
    for file in sorted(tmp_path.iterdir()):
        read = iq.read_image(file)
        result[file.name] = {
            "array": read.array, "channel_axis": read.channel_axis, "axes": read.axes, "data_range": read.data_range,
            "notes": read.notes, "luminance": read.luminance,
        }  # fmt: skip
    frozen("image_files", result)


def test_refusals(frozen):
    """What people are told, by what they did."""
    image = grey()
    wrong = {
        "one row": lambda: iq.threshold_map(np.zeros(5, np.uint8)),
        "no range": lambda: iq.threshold_map(image.astype(np.float32)),
        "unknown model": lambda: iq.threshold_map(image, model="beauty"),
        "unknown observer": lambda: iq.threshold_map(image, model="contrast", observer="me"),
        "stride": lambda: iq.threshold_map(image, stride=3),
        "weights": lambda: iq.threshold_map(image, weights="beauty"),
        "other weights": lambda: iq.threshold_map(image, weights="diqa"),
        "channels": lambda: iq.threshold_map(colour()[..., :2], channel_axis=-1),
        "sizes": lambda: iq.visibility_map(image, image[1:], model="contrast"),
        "mark": lambda: iq.hide(np.ones((500, 500)), image),
        "strength": lambda: iq.hide("iq", image, strength=0),
        "bool": lambda: iq.hide("iq", image > 100),
        "maps": lambda: iq.assess(image, maps=["beauty"]),
        "no reference": lambda: iq.assess(image, maps=["objective_error"]),
        "blind model": lambda: iq.quality(image, model="pnet"),
        "severities": lambda: iq.machine_curve(image, "jpeg", severities=(3, 2)),
        "distortion": lambda: iq.distort(image, "beauty", 3),
        "severity": lambda: iq.distort(image, "jpeg", 7),
        "family": lambda: iq.distortions(family="beauty"),
        "illumination": lambda: iq.diff_diff(image, image, image, illumination="beauty"),
        "median": lambda: iq.diff_diff_score(image, image, image, median=4),
        "grid": lambda: iq.diff_diff_score(image, image, image, grid=(0, 5)),
        "method": lambda: iq.register(image, image, method="beauty"),
        "transform": lambda: iq.register(image, image, transform="beauty"),
        "small": lambda: iq.register(image[:8, :8], image),
        "series": lambda: iq.register_series(image),
        "radius": lambda: iq.search_translation(image, image, radius=-1),
        "pairs": lambda: iq.compare_registrations([]),
        "baseline": lambda: iq.compare_registrations([(image, image)], baseline="beauty"),
        "kind": lambda: iq.QualityMap(image, "beauty", 0.0, {}),
        "file": lambda: iq.read_image("no-such-file.png"),
        "map file": lambda: iq.read_map("no-such-file.tiff"),
        "matrix file": lambda: iq.load_matrix("no-such-file.json"),
        "suffix": lambda: iq.write_map(iq.threshold_map(image, model="contrast"), "map.doc"),
    }
    result = {}
    for name, call in wrong.items():
        with pytest.raises(iq.IqmapsError) as refusal:
            call()
        result[name] = [type(refusal.value).__name__, str(refusal.value)]
    frozen("refusals", result)
