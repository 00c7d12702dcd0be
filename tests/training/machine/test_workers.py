"""Workers of every kind are opened, prepared for, matched by their classes, and refused with what is wrong."""

import importlib.util
import json
import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_iqmaps import InputError
from napari_iqmaps.core.models import sha256_of
from napari_iqmaps.training.machine.recipe import WorkerConfig
from napari_iqmaps.training.machine.recognisers import fit_worker
from napari_iqmaps.training.machine.sources import open_worker
from napari_iqmaps.training.machine.workers import Preprocessing, Recogniser, answers, check_names, columns_of


class Means(nn.Module):
    """Says how blue and how red pictures are."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, colours):
        return torch.stack([colours[:, 2].mean((1, 2)), colours[:, 0].mean((1, 2))], 1) * self.scale


CODE = """
import torch
from torch import nn


class Means(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, colours):
        return torch.stack([colours[:, 2].mean((1, 2)), colours[:, 0].mean((1, 2))], 1) * self.scale


def make():
    return Means()


def number():
    return 3
"""


@pytest.fixture
def colours():
    return torch.rand(3, 3, 24, 30, generator=torch.Generator().manual_seed(1))


def expected(colours, scale=1.0):
    means = colours.mean((2, 3))
    return (scale * means[:, [2, 0]]).softmax(1)


def test_ours_are_opened_by_their_file(tmp_path, two_colours):
    recipe = WorkerConfig(width=4, epochs=1, batch=8, precision="32-true")
    path = fit_worker(recipe, two_colours, tmp_path / "small")
    worker = open_worker(path)
    assert (worker.name, worker.classes, worker.sha256) == ("small", ("blue", "red"), sha256_of(path))
    assert worker.preprocessing.size == (24, 24)
    said = worker(torch.rand(5, 3, 48, 36))
    assert said.shape == (5, 2)
    torch.testing.assert_close(said.sum(1), torch.ones(5))
    assert open_worker(f"other={path}").name == "other"
    path.rename(tmp_path / "kept.safetensors")
    assert open_worker(tmp_path / "kept.safetensors").name == "kept"


def test_a_function_of_the_users_own_gets_its_weights(tmp_path, colours, monkeypatch):
    (tmp_path / "mine_means.py").write_text(CODE)
    save_file({"scale": torch.tensor([3.0])}, tmp_path / "w.safetensors", {"classes": '["blue", "red"]'})
    torch.save({"state_dict": {"scale": torch.tensor([2.0])}}, tmp_path / "w.pth")
    worker = open_worker(f"{tmp_path}/mine_means.py:make@{tmp_path}/w.safetensors")
    assert (worker.name, worker.classes) == ("w", ("blue", "red"))
    torch.testing.assert_close(worker(colours), expected(colours, 3))
    monkeypatch.syspath_prepend(tmp_path)
    worker = open_worker(f"mine_means:make@{tmp_path}/w.pth", classes=["a", "b"])
    torch.testing.assert_close(worker(colours), expected(colours, 2))
    assert worker.classes == ("a", "b")
    sys.modules.pop("mine_means")
    wrong = {
        f"{tmp_path}/mine_means.py:make": "names no weights",
        f"{tmp_path}/mine_means.py:other@{tmp_path}/w.pth": "gives no network .AttributeError",
        f"{tmp_path}/mine_means.py:number@{tmp_path}/w.pth": "gives a int, no torch.nn.Module",
        f"no_such_package_here:make@{tmp_path}/w.pth": "gives no network .ModuleNotFoundError",
        f"{tmp_path}/mine_means.py:make@{tmp_path}/none.pth": "There is no worker .*none.pth",
    }
    for spec, message in wrong.items():
        with pytest.raises(InputError, match=message):
            open_worker(spec)


def test_weights_that_would_run_code_or_do_not_fit_are_refused(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    torch.save({"scale": torch.ones(2)}, tmp_path / "other.pth")
    torch.save(Means(), tmp_path / "whole.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name, message in (("other", "do not fit"), ("whole", "without running code"), ("text", "running code|be read")):
        with pytest.raises(InputError, match=message):
            open_worker(f"{tmp_path}/mine.py:make@{tmp_path}/{name}.pth")


@pytest.mark.filterwarnings("ignore:.*torch.jit.s.*deprecated:DeprecationWarning")  # script and save, not load
def test_torchscript_says_itself_what_it_wants(tmp_path, colours):
    said = {"classes": ["blue", "red"], "size": [24, 30], "mean": [0.5] * 3, "std": [0.25] * 3}
    script = torch.jit.script(Means())
    torch.jit.save(script, str(tmp_path / "means.pt"), {"worker.json": json.dumps(said)})
    worker = open_worker(tmp_path / "means.pt")
    assert (worker.name, worker.classes) == ("means", ("blue", "red"))
    torch.testing.assert_close(worker(colours), expected((colours - 0.5) / 0.25))
    torch.jit.save(script, str(tmp_path / "bare.pt"))
    assert open_worker(tmp_path / "bare.pt").classes is None
    (tmp_path / "text.pt").write_text("no script")
    with pytest.raises(InputError, match="no TorchScript module"):
        open_worker(tmp_path / "text.pt")


def test_a_toml_file_describes_a_worker(tmp_path, colours):
    (tmp_path / "mine.py").write_text(CODE)
    save_file({"scale": torch.tensor([1.0])}, tmp_path / "w.safetensors")
    (tmp_path / "names.txt").write_text("blue\nred\n")
    toml = tmp_path / "ours.toml"
    toml.write_text(
        'worker = "mine.py:make@w.safetensors"\nname = "ours"\nclasses = "names.txt"\nsize = 24\n'
        "mean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\n"
    )
    worker = open_worker(toml)
    assert (worker.name, worker.classes) == ("ours", ("blue", "red"))
    assert worker.preprocessing == Preprocessing((24, 24), (0.5,) * 3, (0.25,) * 3)
    assert open_worker(f"again={toml}").name == "again"
    for text, message in (
        ('classes = ["a"]', "does not name a worker"),
        ('worker = "w"\ncolour = 1', "unknown key colour"),
        ("worker = ", "cannot be read as TOML"),
        (
            'worker = "mine.py:make@w.safetensors"\nmean = "grey"',
            "mean is 'grey'; it must be a list of 3 finite numbers",
        ),
        ('worker = "mine.py:make@w.safetensors"\nstd = [0, 1, 1]', "three numbers each, of std above 0"),
        ('worker = "mine.py:make@w.safetensors"\ngives = "ranks"', "choose logits or probabilities"),
    ):
        toml.write_text(text)
        with pytest.raises(InputError, match=message):
            open_worker(toml)


def test_pictures_are_brought_to_what_the_network_wants(colours):
    wanted = Preprocessing((12, 15), (0.1, 0.2, 0.3), (1.0, 0.5, 0.25))
    found = wanted.prepared(colours)
    # Half the size: the mean over each 2x2 pixels is near what an antialiased bilinear filter gives.
    near = nn.functional.avg_pool2d(colours, 2)
    near = (near - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([1.0, 0.5, 0.25])[:, None, None]
    assert found.shape == near.shape
    assert (found.mean((2, 3)) - near.mean((2, 3))).abs().max() < 0.05
    assert torch.equal(Preprocessing().prepared(colours), colours)


def test_what_is_not_there_is_said_with_how_to_get_it(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"")
    for package, spec in (
        ("torchvision", "torchvision:resnet18"),
        ("timm", "timm:x"),
        ("onnxruntime", tmp_path / "x.onnx"),
    ):
        if importlib.util.find_spec(package) is None:
            with pytest.raises(InputError, match=f"needs {package}, which is not installed: pip install {package}"):
                open_worker(spec)
    with pytest.raises(InputError, match=r"There is no worker none.pt. Give a .safetensors"):
        open_worker("none.pt")
    (tmp_path / "x.h5").write_bytes(b"")
    with pytest.raises(InputError, match="its suffix is none of"):
        open_worker(tmp_path / "x.h5")


def test_torchvisions_weights_come_from_the_cache_alone(tmp_path, colours, monkeypatch):
    """A stand-in for torchvision, whose wheels do not import beside every build of torch."""
    shapes = types.SimpleNamespace(crop_size=[24], mean=[0.5] * 3, std=[0.25] * 3)
    published = types.SimpleNamespace(
        url="https://example.org/means-1.pth", meta={"categories": ["blue", "red"]}, transforms=lambda: shapes
    )
    models = types.ModuleType("torchvision.models")
    models.get_model_weights = lambda name: types.SimpleNamespace(DEFAULT=published)
    models.get_model = lambda name, weights: Means()
    package = types.ModuleType("torchvision")
    package.models, package.__spec__ = models, importlib.util.spec_from_loader("torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        InputError, match=r"not in .*means-1.pth, and nothing is downloaded here. Fetch them from https"
    ):
        open_worker("torchvision:means")
    (tmp_path / "checkpoints").mkdir()
    torch.save({"scale": torch.tensor([2.0])}, tmp_path / "checkpoints" / "means-1.pth")
    torch.save({"scale": torch.tensor([3.0])}, tmp_path / "own.pth")
    colours = colours[..., :24]
    for spec, scale in (("torchvision:means", 2), (f"torchvision:means@{tmp_path}/own.pth", 3)):
        worker = open_worker(spec)
        assert (worker.name, worker.classes, worker.preprocessing.size) == ("means", ("blue", "red"), (24, 24))
        torch.testing.assert_close(worker(colours), expected((colours - 0.5) / 0.25, scale))


def test_onnx_files_are_run(tmp_path, colours):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    make = onnx.helper.make_node

    def write(name, batch, shape, **said):
        inside = onnx.helper.make_tensor_value_info("colours", onnx.TensorProto.FLOAT, [batch, 3, *shape])
        outside = onnx.helper.make_tensor_value_info("said", onnx.TensorProto.FLOAT, [batch, 3])
        nodes = [make("GlobalAveragePool", ["colours"], ["means"]), make("Flatten", ["means"], ["said"])]
        graph = onnx.helper.make_graph(nodes, "means", [inside], [outside])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        onnx.helper.set_model_props(model, said)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    worker = open_worker(write("free.onnx", "n", ["h", "w"], classes='["red", "green", "blue"]', mean="[0.5, 0, 0]"))
    assert (worker.name, worker.classes, worker.preprocessing.size) == ("free", ("red", "green", "blue"), None)
    moved = colours - torch.tensor([0.5, 0, 0])[:, None, None]
    torch.testing.assert_close(worker(colours), moved.mean((2, 3)).softmax(1))
    fixed = open_worker(write("fixed.onnx", 1, [12, 15]))
    assert (fixed.classes, fixed.preprocessing.size) == (None, (12, 15))
    assert fixed(colours).shape == (3, 3)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match="no network that onnxruntime can run"):
        open_worker(tmp_path / "text.onnx")


def test_classes_are_matched_by_name():
    worker = Recogniser(Means(), "w", ("red", "green", "blue"))
    assert columns_of(worker, ("blue", "red")).tolist() == [2, 0]
    assert columns_of(Recogniser(Means(), "w"), ("a", "b")).tolist() == [0, 1]
    with pytest.raises(
        InputError, match=r"does not know 2 of the 3 classes \(cat, dog\); it has 3, such as red, green"
    ):
        columns_of(worker, ("blue", "cat", "dog"))


def test_workers_are_told_apart():
    def named(*names):
        return [Recogniser(Means(), name) for name in names]

    check_names(named("a", "b.2"))
    for workers, message in (
        ([], "no workers"),
        (named("a", "b", "a"), "2 workers are called a. Name them apart"),
        (named("a b"), "'a b' cannot name a worker"),
    ):
        with pytest.raises(InputError, match=message):
            check_names(workers)


def test_answers_are_probabilities_or_refused(colours):
    two = ("blue", "red")
    worker = Recogniser(Means(), "w", two)
    np.testing.assert_allclose(answers(worker, colours, two), expected(colours).numpy(), atol=1e-6)

    def says(values):
        return Recogniser(lambda _: torch.tensor(values), "w", two, Preprocessing(gives="probabilities"))

    kept = answers(says([[0.5, 0.501]] * 3), colours, two)  # half precision
    np.testing.assert_allclose(kept.sum(1), 1)
    for values in ([[0.5, 0.6]] * 3, [[1.5, -0.5]] * 3, [[float("nan"), 1.0]] * 3):
        with pytest.raises(InputError, match="are no probabilities.* If they are logits, say so"):
            answers(says(values), colours, two)
    with pytest.raises(InputError, match=r"answers 3 pictures with numbers of the shape \(3, 3\); \(3, 2\) was"):
        answers(says([[0.2, 0.3, 0.5]] * 3), colours, two)
    with pytest.raises(InputError, match=r"\(3, 4\) was expected"):
        answers(Recogniser(Means(), "w"), colours, ("a", "b", "c", "d"))
