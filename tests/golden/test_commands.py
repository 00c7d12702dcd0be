"""What every command of the command line prints, writes and answers, as it was frozen."""

import csv
import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image
from skimage import data, transform

import napari_iqmaps as iq
from napari_iqmaps.cli import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the frozen paths are those of Unix")

CAMERA = data.camera()
PACKAGE = str(Path(iq.__file__).parent)
CONTRAST = ("--model", "contrast")
MOTION = np.array([[1.01, 0.01, 4.0], [-0.008, 0.995, -3.0], [0.0, 0.0, 1.0]])

# Pictures whose pixels are a result. Of those with legends only the names are compared.
RESULTS = re.compile(r"_(registered|valid|hidden)\.png$|^copies/.*\.png$")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
MADE_FROM = re.compile(r"\b[0-9a-f]{16}-[0-9a-f]{16}\b")
SPENT = re.compile(r"\b\d+(\.\d+)? (ms|s|seconds|min)\b")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")


# --- what is compared


def plain(value, digests=False):
    """Give what JSON can hold, with placeholders for versions, times and digests of what encoders wrote."""
    if isinstance(value, Mapping):
        return {str(key): plain(cell, digests or key == "weights_sha256") for key, cell in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(cell, digests) for cell in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist(), digests)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        value = (
            value.replace(str(Path.cwd()), "<here>").replace(PACKAGE, "<package>").replace(iq.__version__, "<version>")
        )
        if not digests:
            value = MADE_FROM.sub("<made from>", DIGEST.sub("<digest>", value))
        return SPENT.sub("<time>", TIME.sub("<time>", value))
    return value


def lines(text):
    return [line.rstrip() for line in plain(text).splitlines()]


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def cell(text):
    """Give a cell's number, its numbers, or its text."""
    numbers = [number(word) for word in text.split()]
    if not numbers or None in numbers:
        return text
    return plain(numbers[0] if len(numbers) == 1 else numbers)


def read_table(text):
    comments = [line for line in text.splitlines() if line.startswith("#")]
    table = csv.reader(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    head, *rows = list(table) or [[]]
    return {"comments": comments, "head": head, "rows": [[cell(plain(word)) for word in row] for row in rows]}


def summary(array):
    """Sum an array up in figures that no two results are likely to share."""
    values = np.asarray(array)
    finite = values[np.isfinite(values)].astype(float)
    found = {"shape": list(values.shape), "dtype": str(values.dtype), "finite": int(finite.size)}
    if finite.size:
        weights = np.linspace(1, 2, finite.size)
        found |= {"lowest": float(finite.min()), "highest": float(finite.max()), "size": float(np.abs(finite).mean()),
                  "spread": float(finite.std()), "place": float((np.abs(finite) * weights).mean())}  # fmt: skip
    return found


def pixels(path):
    try:
        found = iq.read_map(path)
    except iq.IqmapsError:
        return summary(iq.read_image(path).array)
    return {**summary(found.values), "kind": found.kind, "score": plain(found.score), "info": plain(found.info)}


def contents(path, name):
    if path.name == "versions.json":  # of whatever is installed
        return sorted(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".json":
        return plain(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".csv":
        return read_table(path.read_text(encoding="utf-8"))
    if path.suffix in {".md", ".markdown", ".tex"}:
        return lines(path.read_text(encoding="utf-8"))
    if path.suffix == ".tif" or RESULTS.search(name):
        return pixels(path)
    return None


class Calls:
    """Calls commands in a folder and keeps what came of each."""

    def __init__(self, folder):
        self.folder = folder
        self.found = {}

    def files(self):
        paths = (path for path in self.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in sorted(paths)}

    def __call__(self, label, *words):
        words = [str(word) for word in words]
        before = self.files()
        result = CliRunner().invoke(main, words)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        after = self.files()
        out = result.stdout
        assert label not in self.found
        self.found[label] = {
            "command": " ".join(["iqmaps", *words]),
            "status": result.exit_code,
            "stdout": plain(json.loads(out)) if out.startswith(("{", "[")) else lines(out),
            "stderr": lines(result.stderr),
            "written": {name: contents(self.folder / name, name) for name in after if after[name] != before.get(name)},
            "removed": [name for name in before if name not in after],
        }
        return result


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """An empty folder to call commands in, at a fixed width."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("cuda", "mps"):
        monkeypatch.setattr(f"torch.{name}.is_available", lambda: False)
    return Calls(tmp_path)


def save(array, path):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def photos(calls):
    """Two small pictures, and one file that is none."""
    save(CAMERA[100:164, 150:246], "in/a.png")
    save(CAMERA[200:264, 200:296], "in/b.png")
    Path("in/bad.png").write_text("a text")
    return "in/a.png", "in/b.png"


def warped(image, matrix, light=0.0):
    """Move an image by a matrix, from moving to fixed, and change its light."""
    moved = 255 * transform.warp(image / 255, np.linalg.inv(matrix), order=1, mode="symmetric")
    return np.clip(np.rint(moved * (1 - light / 100) + light), 0, 255).astype(np.uint8)


@pytest.fixture
def moved(calls):
    """A fixed picture, and others that were moved, of which one is noise."""
    scene = CAMERA[100:228, 150:310]
    save(scene, "fixed.png")
    before = warped(scene, np.linalg.inv(MOTION), 10)
    save(before, "in/a.png")
    save(warped(scene, MOTION), "in/b.png")
    save(np.random.default_rng(4).integers(0, 256, scene.shape, dtype=np.uint8), "in/noise.png")
    save(warped(before, MOTION), "done/a.png")
    save(warped(before, np.linalg.inv(MOTION)), "done/b.png")
    return scene


@pytest.fixture
def manifest(calls):
    """Scored pictures: three scenes, three strengths of noise and of darkening."""
    rng, rows = np.random.default_rng(0), []
    for scene in range(3):
        reference = CAMERA[80 * scene : 80 * scene + 64, 150:222]
        save(reference, f"scored/r{scene}.png")
        for level in range(3):
            noisy = reference + rng.normal(0, 3 + 9 * level, reference.shape)
            for kind, values in (("noise", noisy), ("dark", reference * (0.9 - 0.2 * level))):
                name = f"{kind}{scene}{level}.png"
                save(np.clip(values, 0, 255).astype(np.uint8), f"scored/{name}")
                rows.append(f"{name},r{scene}.png,{20 + 30 * level + scene},{kind},scene{scene}")
    head = "# best: 0\n# worst: 100\nfile,reference,score,type,scene\n"
    Path("scored/own.csv").write_text(head + "\n".join(rows) + "\n")
    return "scored/own.csv"


# --- help and options


def every_command(command=main, path="iqmaps"):
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from every_command(command.get_command(context, name), f"{path} {name}")


def type_of(kind):
    """Say what an option takes: the kind, and its choices or its bounds."""
    if isinstance(kind, click.Tuple):
        return {"kind": kind.name, "of": [type_of(one) for one in kind.types]}
    found = {"kind": kind.name}
    for name in ("choices", "min", "max", "min_open", "max_open", "exists", "file_okay", "dir_okay"):
        if hasattr(kind, name):
            value = getattr(kind, name)
            found[name] = list(map(str, value)) if name == "choices" else value
    return found


def default_of(parameter):
    value = parameter.default
    if callable(value):
        return "computed"
    if isinstance(value, (tuple, list)):
        return [str(one) if isinstance(one, Path) else one for one in value]
    return value if isinstance(value, (bool, int, float, str)) else None


def structure(parameter):
    found = {"names": [*parameter.opts, *parameter.secondary_opts], "type": type_of(parameter.type),
             "default": default_of(parameter), "required": parameter.required, "multiple": parameter.multiple,
             "nargs": parameter.nargs} if isinstance(parameter, click.Option) else {
             "names": parameter.opts, "type": type_of(parameter.type), "required": parameter.required,
             "nargs": parameter.nargs}  # fmt: skip
    if isinstance(parameter, click.Option):
        found |= {"flag": bool(parameter.is_flag), "hidden": parameter.hidden}
    return found


def test_help(calls, frozen):
    found = {}
    for path, command in every_command():
        # click keeps the help option of a command's first call; a test that called the command without its group has
        # left one that does not know "-h".
        command._help_option = None
        result = CliRunner().invoke(main, [*path.split()[1:], "--help"])
        assert result.exit_code == 0
        found[path] = result.stdout.splitlines()
    frozen("command_help", found)


def test_options(frozen):
    found = {
        path: {"/".join(sorted(parameter.opts)): structure(parameter) for parameter in command.params}
        for path, command in every_command()
    }
    frozen("command_options", found)


def test_the_group(calls, frozen):
    calls("version", "--version")
    calls("no such command", "nothing")
    calls("no words")
    for path, command in every_command():
        if command is not main and not isinstance(command, click.Group):
            calls(f"{path} with a wrong option", *path.split()[1:], "--no-such-option")
    frozen("command_group", calls.found)


# --- visibility


def test_threshold(calls, photos, frozen):
    words = ("threshold", "in", "--out", "out", "--format", "both", "--csv", "t.csv")
    calls("a bad one among good", *words, "--json")
    calls("again", *words, "--json")
    Path("in/bad.png").unlink()
    calls("shown", "threshold", "in")
    calls("other options", "threshold", "in", *CONTRAST, "--stride", 8, "--observer", "practised", "--data-range", 0,
          200, "--csv", "t.json", "--json")  # fmt: skip
    calls("other options shown", "threshold", "in/a.png", *CONTRAST, "--observer", "practised", "--luminance",
          "absolute", "--peak", 500, "--data-range", 0, 255)  # fmt: skip
    calls("another option is another request", *words, "--stride", 8, "--json")
    tifffile.imwrite("float.tif", (CAMERA[:40, :50] / 255).astype(np.float32))
    calls("float without a range", "threshold", "float.tif", *CONTRAST, "--json")
    calls("float", "threshold", "float.tif", *CONTRAST, "--data-range", 0, 1, "--json")
    stack = np.stack([CAMERA[:40, :50], CAMERA[100:140, 100:150]])
    tifffile.imwrite("stack.tif", stack, photometric="minisblack", metadata={"axes": "TYX"})
    calls("a stack", "threshold", "stack.tif", *CONTRAST, "--out", "out", "--csv", "s.csv", "--json")
    calls("no such device", "threshold", "in", "--device", "abacus")
    calls("no such file", "threshold", "none.png", "--json")
    calls("no such pattern", "threshold", "none*.png")
    calls("wrong use", "threshold", "in", "--stride", 3)
    frozen("command_threshold", calls.found)


def test_visibility(calls, photos, frozen):
    words = ("visibility", "in", "--reference", "in/a.png", "--out", "out", "--csv", "t.csv", "--json")
    calls("a bad one among good", *words)
    calls("again", *words)
    calls("other options", "visibility", "in/b.png", "--reference", "in/a.png", *CONTRAST, "--observer", "practised",
          "--pixels-per-degree", 60, "--csv", "t.json", "--json")  # fmt: skip
    calls("shown", "visibility", *photos, "--reference", "in/a.png", *CONTRAST)
    save(CAMERA[100:164, 150:246], "ref/a.png")
    calls("a folder of references", "visibility", *photos, "--reference", "ref", *CONTRAST, "--json")
    save(CAMERA[:30, :30], "small.png")
    calls("another size", "visibility", "small.png", "--reference", "in/a.png", *CONTRAST)
    calls("an even window", "visibility", "in", "--reference", "in/a.png", "--window", 4)
    calls("wrong use", "visibility", "in")
    frozen("command_visibility", calls.found)


def test_hide(calls, photos, frozen):
    mark = np.zeros((12, 20), np.uint8)
    mark[3:9, 4:16] = 255
    save(mark, "logo.png")
    words = ("hide", "in", "--mark", "logo.png", "--out", "out", "--csv", "t.csv", "--json")
    calls("a bad one among good", *words)
    calls("again", *words)
    calls("clamp", "hide", "in/a.png", "--mark", "logo.png", "--mode", "clamp", "--amplitude", 3, "--placement", "5,-4",
          "--rounding", "nearest", "--strength", 2, *CONTRAST, "--out", "clamp", "--format", "tif",
          "--json")  # fmt: skip
    calls("tiled text shown", "hide", *photos, "--text", "iq", "--placement", "tile", *CONTRAST, "--out", "text")
    calls("neither mark nor text", "hide", "in", "--out", "out")
    calls("wrong use", "hide", "in", "--text", "iq", "--strength", 0, "--out", "out")
    frozen("command_hide", calls.found)


# --- without a reference


def test_errors(calls, photos, frozen):
    words = ("errors", "in", "--out", "out", "--csv", "t.csv", "--json")
    calls("a bad one among good", *words)
    calls("again", *words)
    calls("with a reference", "errors", "in/b.png", "--reference", "in/a.png", "--maps", "objective_error,error",
          "--out", "two", "--format", "both", "--csv", "t.json", "--json")  # fmt: skip
    calls("diqa", "errors", "in/a.png", "--model", "diqa", "--json")
    calls("shown", "errors", *photos)
    calls("no such map", "errors", "in", "--maps", "error,beauty", "--out", "out")
    calls("a map that needs more", "errors", "in/a.png", "--maps", "objective_error", "--out", "out")
    calls("wrong use", "errors", "in", "--model", "pnet")
    frozen("command_errors", calls.found)


def test_quality(calls, photos, frozen):
    save(CAMERA[100:228, 150:278], "in/large.png")
    words = ("quality", "in", "--csv", "t.csv", "--json")
    calls("a bad one among good", *words)
    calls("again", *words)
    Path("in/bad.png").unlink()
    calls("shown", "quality", "in")
    calls("one shown", "quality", "in/large.png")
    calls("diqa", "quality", "in", "--model", "diqa", "--csv", "t.json", "--json")
    calls("diqa again", "quality", "in", "--model", "diqa", "--csv", "t.json", "--json", "--overwrite")
    calls("no such weights", "quality", "in", "--weights", "nothing")
    calls("weights of another network", "quality", "in", "--weights", "pnet")
    calls("wrong use", "quality", "in", "--csv", "t.txt")
    frozen("command_quality", calls.found)


def test_machine(calls, photos, frozen):
    words = ("machine", "in", "--csv", "t.csv", "--json")
    calls("a bad one among good", *words)
    calls("again", *words)
    calls("maps", "machine", "in/a.png", "--out", "out", "--format", "both", "--json")
    calls("shown", "machine", *photos)
    calls("one shown", "machine", "in/a.png")
    calls("wrong use", "machine", "in", "--plot", "p.png")
    frozen("command_machine", calls.found)


def test_curves(calls, photos, frozen):
    words = ("machine", "in", "--curve", "contrast_loss,gaussian_noise", "--severity", "0,2,5", "--seed", 4)
    calls("a bad one among good", *words, "--csv", "t.csv", "--out", "out", "--json")
    calls("again", *words, "--csv", "t.csv", "--plot", "p.png", "--json")
    Path("in/bad.png").unlink()
    calls("shown", *words)
    calls("one shown", "machine", "in/a.png", "--curve", "darkening", "--severity", "0,4", "--fails-below", 0.41)
    calls("as json", "machine", "in/a.png", "--curve", "haze", "--severity", "0,1", "--csv", "t.json")
    calls("needs colours", "machine", "in/a.png", "--curve", "colour_cast,haze", "--severity", 3, "--json")
    calls("no such distortion", "machine", "in", "--curve", "gaussian_noize")
    calls("wrong use", "machine", "in", "--curve", "haze", "--fails-below", 1)
    frozen("command_curves", calls.found)


# --- registration


def test_register(calls, moved, frozen):
    words = ("register", "in", "--fixed", "fixed.png", "--method", "fast", "--out", "out", "--csv", "t.csv")
    calls("two and noise", *words, "--json")
    calls("again, strictly", *words, "--strict", "--json")
    calls("shown", "register", "in", "--fixed", "fixed.png", "--method", "fast")
    calls("overlay", "register", "in/a.png", "--fixed", "fixed.png", "--method", "ecc", "--transform", "affine",
          "--overlay", "--out", "ecc", "--csv", "t.json", "--json")  # fmt: skip
    calls("features", "register", "in/a.png", "--fixed", "fixed.png", "--method", "features", "--seed", 3, "--json")
    calls("translation", "register", "in/a.png", "--fixed", "fixed.png", "--method", "translation", "--json")
    calls("too far", "register", "in/a.png", "--fixed", "fixed.png", "--method", "fast", "--max-shift", 1, "--json")
    frames = np.stack([moved, warped(moved, MOTION)])
    tifffile.imwrite("frames.tif", frames, photometric="minisblack", metadata={"axes": "TYX"})
    calls("a series", "register", "frames.tif", "--method", "phase", "--out", "series", "--csv", "s.csv", "--json")
    calls("a series shown", "register", "frames.tif", "--method", "phase", "--to", "previous")
    Path("in/bad.png").write_text("a text")
    calls("a bad one among good", "register", "in/bad.png", "in/b.png", "--fixed", "fixed.png", "--method", "fast",
          "--json")  # fmt: skip
    calls("nothing to register to", "register", "in/a.png", "--method", "fast")
    calls("wrong use", "register", "in", "--fixed", "fixed.png", "--method", "luck")
    frozen("command_register", calls.found)


def test_diffdiff(calls, moved, frozen):
    Path("in/noise.png").unlink()
    given = ("diffdiff", "in", "--fixed", "fixed.png", "--registered", "done")
    words = (*given, "--valid", "border", "--out", "out", "--blocks", "b.csv", "--csv", "t.csv", "--json")
    calls("given", *words)
    calls("again", *words)
    calls("shown", *given)
    calls("one shown", "diffdiff", "in/a.png", *given[2:])
    calls("other options", *given, "--border", 7, "--tol", 12.5, "--grid", "3x4", "--illumination", "each",
          "--smooth", 1, "--median", 3, "--region", "20:100,30:", "--csv", "t.json", "--json")  # fmt: skip
    calls("pictures", "diffdiff", "in/a.png", *given[2:], "--sheet", "s.png", "--ladder", "l.png", "--json")
    calls("notebook", *given, "--compat", "notebook", "--border", 10, "--json")
    calls("register first", "register", "in/a.png", "--fixed", "fixed.png", "--method", "fast", "--out", "reg")
    calls("by matrix", "diffdiff", "in/a.png", "--fixed", "fixed.png", "--matrix", "reg", "--out", "map", "--json")
    calls("by image", "diffdiff", "in/a.png", "--fixed", "fixed.png", "--registered", "reg", "--json")
    save(np.random.default_rng(4).integers(0, 256, moved.shape, dtype=np.uint8), "in/noise.png")
    calls("registered here", "diffdiff", "in", "--fixed", "fixed.png", "--register", "fast", "--json")
    Path("in/bad.png").write_text("a text")
    calls("a bad one among good", *given, "--json")
    calls("neither given nor made", "diffdiff", "in", "--fixed", "fixed.png")
    calls("options that do not go together", *given, "--seed", 1)
    calls("wrong use", *given, "--tol", "nan")
    frozen("command_diffdiff", calls.found)


def test_compare(calls, frozen):
    for number_, turn, right, down, light in ((2, 0, 0, 0, 0), (9, 0.02, 3, -2, 25), (10, -0.01, -4, 2, -20)):
        moving = transform.SimilarityTransform(rotation=turn, translation=(230 + right, 130 + down))
        image = 255 * transform.warp(CAMERA / 255, moving, output_shape=(144, 176), order=1)
        image = image * np.linspace(1, 1 + light / 100, 176) + light
        save(np.clip(np.rint(image), 0, 255).astype(np.uint8), f"view/{number_}.png")
    words = ("compare", "view", "--register", "fast", "--method", "none,downsample", "--scoring", "smooth,none",
             "--pairs", "first", "--out", "out")  # fmt: skip
    calls("first", *words, "--no-pictures", "--json")
    calls("again", *words, "--no-pictures", "--json")
    calls("shown", *words, "--no-pictures")
    calls("pictures", "compare", "view", "--register", "fast", "--method", "none", "--pairs", "first", "--out", "pics")
    calls("two of the pairs", "compare", "view", "--register", "fast", "--method", "none,none@phase", "--pairs", 2,
          "--no-pictures", "--out", "all", "--strict", "--json")  # fmt: skip
    Path("view/bad.png").write_text("a text")
    Path("pairs.csv").write_text("moving,fixed\nview/2.png,view/9.png\nview/bad.png,view/9.png\n")
    calls("a bad one among good", "compare", "pairs.csv", "--register", "fast", "--method", "none", "--no-pictures",
          "--out", "listed", "--json")  # fmt: skip
    calls("steps shown", "compare", "--list")
    calls("steps", "compare", "--list", "--json")
    calls("no folder to write to", "compare", "view")
    calls("no such step", "compare", "view", "--method", "none,magic", "--out", "out")
    calls("wrong use", "compare", "view", "--pairs", "some", "--out", "out")
    frozen("command_compare", calls.found)


# --- distortions


def test_distort(calls, photos, frozen):
    words = ("distort", "in", "--distortion", "gaussian_blur,gaussian_noise", "--severity", "2,4.5", "--seed", 7)
    calls("a bad one among good", *words, "--out", "copies", "--json")
    calls("again", *words, "--out", "copies", "--json")
    calls("shown", *words, "--out", "copies")
    calls("colours", "distort", "in/a.png", "--distortion", "colour_cast,haze", "--severity", 1, "--out", "copies/two",
          "--json")  # fmt: skip
    calls("sheet", "distort", *photos, "--distortion", "haze,darkening", "--severity", "1,5", "--sheet", "s.png")
    calls("bank", "distort", "--list", "--json")
    calls("bank shown", "distort", "--list")
    calls("nowhere to write to", "distort", "in", "--distortion", "haze")
    calls("no such distortion", "distort", "in", "--distortion", "hase", "--out", "out")
    calls("wrong use", "distort", "in", "--distortion", "haze", "--severity", "1,x", "--out", "out")
    frozen("command_distort", calls.found)


# --- weights, demo


def test_weights(calls, frozen):
    calls("list shown", "weights")
    calls("list", "weights", "list", "--json")
    calls("verify shown", "weights", "verify")
    calls("verify", "weights", "verify", "--json")
    for name in ("contrast", "pnet"):
        calls(f"show {name}", "weights", "show", name, "--json")
    calls("wrong use", "weights", "show", "nothing")
    frozen("command_weights", calls.found)


def test_demo(calls, frozen):
    calls("pictures", "demo", *CONTRAST, "--out", "demo")
    calls("wrong use", "demo", "--model", "magic")
    frozen("command_demo", calls.found)


# --- training and judging


WORKER = '''
import torch
from torch import nn


class Means(nn.Module):
    """Says how blue and how red a picture is."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, colours):
        return self.scale * colours.mean((2, 3))[:, [2, 0]] * 4 + colours.std((2, 3))[:, [0, 2]]


def make():
    return Means()
'''


@pytest.fixture
def labelled(calls):
    """Reddish and bluish pictures, and two workers that tell them apart."""
    import torch
    from safetensors.torch import save_file

    photograph = data.astronaut()
    for number_, (name, channel) in enumerate((("blue", 2), ("red", 0)) * 3):
        picture = photograph[20 + 25 * number_ :, 200:232][:32].copy()
        picture[..., channel] = np.clip(picture[..., channel].astype(int) + 40, 0, 255)
        save(picture, f"data/{name}/{number_}.png")
    Path("mine.py").write_text(WORKER)
    for name, scale in (("one", 1.0), ("two", 3.0)):
        save_file({"scale": torch.tensor([scale])}, f"{name}.safetensors")
    return "data"


def test_labels_and_what_is_made_of_them(calls, labelled, frozen):
    words = ("label", "--data", labelled, "--distortion", "gaussian_noise", "--distortion", "darkening", "--grid",
             "--severities", "1,3,5", "--worker", "one=mine.py:make@one.safetensors", "--worker",
             "two=mine.py:make@two.safetensors", "--out", "labels.csv", "--quiet")  # fmt: skip
    calls("label", *words)
    calls("label again", *words)
    calls("other labels in the same table", *words, "--seed", 1)
    calls("label without a worker", "label", "--data", labelled, "--out", "t.csv")
    calls("label with no such worker", "label", "--data", labelled, "--worker", "none.pt", "--out", "t.csv")
    judge = ("evaluate", "machine", "--labels", "labels.csv", "--data", labelled, "--quiet", "--target", "mean",
             "--device", "cpu")  # fmt: skip
    calls("evaluate", *judge, "--left-out", "darkening", "--runs", "runs", "--csv", "o.csv", "--json", "o.json",
          "--markdown", "o.md", "--scores", "scores.csv", "--falls", "falls.csv")  # fmt: skip
    calls("evaluate again", *judge, "--left-out", "darkening", "--runs", "runs")
    calls("evaluate no such target", *judge[:-4], "--target", "p_nobody")
    calls("evaluate without labels", "evaluate", "machine", "--data", labelled)
    frozen("command_labels", calls.found)


def test_evaluate_visibility(calls, manifest, frozen):
    words = ("evaluate", "visibility", "--data", manifest)
    calls("dry run", *words, "--dry-run", "--json", "found.json")
    calls("given weights", *words, "--model", "contrast", "--quiet", "--splits", 4, "--test-share", 0.4,
          "--csv", "o.csv", "--json", "o.json", "--markdown", "o.md", "--scores", "scores.csv")  # fmt: skip
    calls("needs a folder", *words, "--protocol", "splits", "--quiet")
    calls("no such weights", *words, "--weights", "nothing", "--quiet")
    Path("scored/dark00.png").unlink()
    calls("dry run with a missing file", *words, "--dry-run")
    calls("a missing file", *words, "--quiet")
    calls("wrong use", *words, "--protocol", "luck")
    frozen("command_evaluate_visibility", calls.found)


def test_evaluate_quality(calls, manifest, frozen):
    plain_text = re.sub(r",\w+,\w+$", "", Path(manifest).read_text(), flags=re.MULTILINE)
    Path("scored/untyped.csv").write_text(plain_text.replace(",type,scene", ""))
    words = ("evaluate", "quality", "--data", "scored/untyped.csv")
    calls("dry run", *words, "--dry-run", "--json", "found.json")
    calls("given weights", *words, "--model", "deepbqa", "--quiet", "--splits", 4, "--test-share", 0.4, "--runs",
          "runs", "--csv", "o.csv", "--json", "o.json", "--markdown", "o.md", "--scores", "scores.csv")  # fmt: skip
    calls("needs a start", *words, "--protocol", "splits", "--runs", "other", "--quiet")
    calls("no such setting", *words, "--set", "error_map=1", "--quiet")
    calls("wrong use", *words, "--model", "pnet")
    frozen("command_evaluate_quality", calls.found)


def test_dry_runs_of_training(calls, manifest, frozen):
    for network in ("pnet", "contrast", "diqa", "deepbqa"):
        calls(network, "train", network, "--data", manifest, "--dry-run")
        calls(f"{network} without a folder", "train", network, "--data", manifest)
        calls(f"{network} without data", "train", network, "--out", "run")
        calls(f"{network}, no such manifest", "train", network, "--data", "none.csv", "--out", "run")
    Path("scored/dark00.png").unlink()
    calls("a missing file", "train", "pnet", "--data", manifest, "--dry-run")
    calls("a missing file left out", "train", "pnet", "--data", manifest, "--dry-run", "--skip-missing")
    calls("no such network", "train", "vgg")
    words = ("train", "contrast", "--data", "scored/own.csv", "--skip-missing", "--out", "run", "--steps", 2,
             "--images", 4, "--patches", 2, "--precision", "32-true", "--device", "cpu", "--quiet")  # fmt: skip
    calls("two steps", *words)
    calls("two steps again", *words)
    calls("two steps that may not go on", *words, "--no-resume")
    frozen("command_train_dry", calls.found)
