"""What is written of a call makes the same result again: as Python, and as a command."""

import json
import shlex

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

import napari_iqmaps as iq
from napari_iqmaps.cli import main
from napari_iqmaps.cli.line import command_of
from napari_iqmaps.core.call import Call, Given

RNG = np.random.default_rng(8)
PHOTO = RNG.integers(188, 1200, (48, 64), dtype=np.uint16)
NOISY = np.clip(PHOTO + RNG.normal(0, 60, PHOTO.shape), 0, 65535).astype(np.uint16)
SHIFTED = np.roll(PHOTO, 3, axis=1)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / 'it\'s a "folder" & more'
    folder.mkdir()
    found = {}
    for name, pixels in {"photo": PHOTO, "noisy": NOISY, "shifted": SHIFTED}.items():
        found[name] = Given(name, str(folder / f"{name} $1.tif"), "uint16, 48 x 64")
        tifffile.imwrite(found[name].path, pixels)
    return found


CALLS = {
    "threshold": lambda files: Call(
        "threshold_map",
        {"image": files["photo"]},
        {"model": "contrast", "data_range": (188.0, 1200.0), "observer": "practised", "device": "auto", "tile": None},
    ),
    "light": lambda files: Call(
        "threshold_map",
        {"image": files["photo"]},
        {"model": "contrast", "luminance": "absolute", "peak_luminance": 1500.5, "black_level": 0.25},
    ),
    "visibility": lambda files: Call(
        "visibility_map",
        {"test": files["noisy"], "reference": files["photo"]},
        {"model": "contrast", "data_range": (0.0, 4095.0), "pixels_per_degree": 42.5, "window": 21},
    ),
    "diffdiff": lambda files: Call(
        "diff_diff_assess",
        {"moving": files["shifted"], "registered": files["noisy"], "fixed": files["photo"]},
        {"valid": None, "grid": None, "tol": 7.25, "median": 3, "data_range": (188.0, 1200.0), "illumination": "none",
         "region": (slice(4, 40), slice(8, 60)), "limits": iq.ScoreLimits()},
    ),
    "diffdiff with a border": lambda files: Call(
        "diff_diff_assess",
        {"moving": files["shifted"], "registered": files["noisy"], "fixed": files["photo"]},
        {"valid": "border", "grid": (3, 3), "border": 2, "data_range": (188.0, 1200.0)},
    ),
    "errors": lambda files: Call(
        "assess",
        {"image": files["photo"], "reference": files["noisy"]},
        {"model": "diqa", "data_range": (188.0, 1200.0)},
    ),
    "machine": lambda files: Call("machine_assess", {"image": files["photo"]}, {"data_range": (188.0, 1200.0)}),
    "curve": lambda files: Call(
        "machine_curve",
        {"image": files["photo"]},
        {"distortion": "shot_noise", "seed": 3, "severities": (0, 2.5), "fails_below": 0.4, "data_range": (188, 1200)},
    ),
    "hide": lambda files: Call(
        "hide",
        {"image": files["photo"]},
        {"mark": "it's \"A\"", "strength": 0.69, "mode": "clamp", "amplitude": 6.0, "placement": (-4, 7),
         "data_range": (0.0, 4095.0), "thresholds": iq.ThresholdOptions(model="contrast", window=15)},
    ),
    "distort": lambda files: Call(
        "distort",
        {"image": files["photo"]},
        {"name": "shot_noise", "severity": 2.5, "seed": 4, "data_range": (188.0, 1200.0), "channel_axis": None},
    ),
}  # fmt: skip


def ran(call):
    names = {}
    exec(call.python(), names)
    return names["result"]


def pixels_of(result):
    if isinstance(result, np.ndarray):
        return result
    if isinstance(result, iq.MachineCurve):
        return result.scores
    if isinstance(result, iq.HiddenMark):
        return result.image
    if isinstance(result, iq.QualityMap):
        return result.values
    return result.maps.get("error", next(iter(result.maps.values()))).values


def written(folder, call):
    """The image or the first map that a command has written."""
    ends = {"threshold_map": "threshold", "visibility_map": "visibility", "diff_diff_assess": "diff_diff"}
    ends |= {"hide": "hidden", "distort": "2.5", "assess": "photo $1_error", "machine_assess": "machine_quality"}
    (path,) = (path for path in folder.iterdir() if path.stem.endswith(ends[call.function]))
    return iq.read_image(path).array


@pytest.mark.parametrize("name", CALLS)
def test_python_makes_the_same_result_again(files, name):
    call = CALLS[name](files)
    images = {name: iq.read_image(given.path).array for name, given in call.images.items()}
    expected = getattr(iq, call.function)(**images, **call.options)
    np.testing.assert_array_equal(pixels_of(ran(call)), pixels_of(expected))


@pytest.mark.parametrize("name", CALLS)
def test_the_command_makes_the_same_result_again(files, name, tmp_path):
    call = CALLS[name](files)
    command = command_of(call)
    assert not command.startswith("#"), command
    words = shlex.split(command)
    assert words[0] == "iqmaps"
    is_curve = call.function == "machine_curve"
    result = CliRunner().invoke(main, words[1:] + ["--json"] * is_curve)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["rows"] if is_curve else []
    made = [row["score"] for row in rows] or written(tmp_path / "maps", call)
    np.testing.assert_array_equal(made, pixels_of(ran(call)))


def test_only_what_differs_from_the_defaults_is_said(files):
    options = {"model": "pnet", "stride": 4, "device": "auto", "data_range": (188.0, 1200.0), "channel_axis": None}
    call = Call("threshold_map", {"image": files["photo"]}, options)
    assert "iq.threshold_map(image, data_range=(188.0, 1200.0))" in call.python()
    assert command_of(call).endswith("--data-range 188 1200 --out maps\n")


def test_a_registration_is_made_first(files, tmp_path):
    images = {"moving": files["shifted"], "fixed": files["photo"]}
    before = Call("register", images, {"method": "fast", "transform": "translation", "data_range": (188.0, 1200.0)})
    call = Call("diff_diff_assess", images, {"grid": (2, 2), "data_range": (188.0, 1200.0)}, before)
    found = iq.register(SHIFTED, PHOTO, method="fast", transform="translation", data_range=(188.0, 1200.0))
    assert found.accepted
    expected = iq.diff_diff_assess(
        SHIFTED, found.registered, PHOTO, valid=found.valid, grid=(2, 2), data_range=(188.0, 1200.0)
    )
    np.testing.assert_array_equal(pixels_of(ran(call)), pixels_of(expected))
    result = CliRunner().invoke(main, shlex.split(command_of(call))[1:])
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(written(tmp_path / "maps", call), pixels_of(expected))


def test_what_no_text_can_hold_is_said():
    images = {"image": Given('my "nuclei"', "", "uint16, 48 x 64")}
    call = Call("hide", images, {"mark": np.ones((3, 4), bool)}, remarks=("Only a\nregion.",))
    text = call.python()
    assert '\nimage = viewer.layers["my \\"nuclei\\""].data  # uint16, 48 x 64\n' in text
    assert "\nmark = ...  # bool, 3 x 4: load it here\n" in text
    assert "\n# Only a region.\n" in text
    compile(text, "text", "exec")
    command = command_of(call).splitlines()
    assert len([line for line in command if line.startswith("#")]) == 3
    assert command[-1] == "iqmaps hide 'my \"nuclei\".tif' --mark mark.tif --out maps"


def test_the_record_is_what_json_holds(files):
    for make in CALLS.values():
        record = make(files).record()
        assert json.loads(json.dumps(record)) == record
    assert record["options"] == {"name": "shot_noise", "severity": 2.5, "seed": 4, "data_range": [188.0, 1200.0]}
