"""A viewer without a window, and what it takes to wait for a widget and to hear what the user would be told."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from scipy import ndimage

from napari_iqmaps.plugin.visibility import VisibilityThresholds

PATIENCE = 60_000  # milliseconds; a loaded machine may be slow, and a hang is what this ends


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def photo():
    """A small photo-like image: smooth on the left, textured on the right."""
    random = np.random.default_rng(1)
    image = np.tile(np.linspace(60, 190, 96), (80, 1))
    image[:, 48:] += random.normal(0, 25, (80, 48))
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def told():
    """The messages that reach the user, as text."""
    messages = []
    listen = lambda notification: messages.append(str(notification.message))  # noqa: E731
    notification_manager.notification_ready.connect(listen)
    yield messages
    notification_manager.notification_ready.disconnect(listen)


@pytest.fixture
def open_widget(qtbot, viewer):
    def opened(model="contrast"):
        widget = VisibilityThresholds(viewer)
        qtbot.addWidget(widget)
        widget.options["model"].value = model
        return widget

    return opened


@pytest.fixture
def finish(qtbot):
    """Wait until a widget has nothing under way."""

    def wait(widget):
        qtbot.waitUntil(lambda: not widget.is_running, timeout=PATIENCE)

    return wait


@pytest.fixture
def drawn(qtbot):
    """Wait until a figure is drawn, which a thread does; give its picture."""

    def picture(view):
        qtbot.waitUntil(lambda: not view.grab().isNull() and view.is_drawn, timeout=PATIENCE)
        return view.grab().toImage()

    return picture


@pytest.fixture
def patience():
    return PATIENCE


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """Weights of the blind networks before any training, by the network's name; always the same."""
    import torch

    from napari_iqmaps.core.networks.blind import DIQA, DeepBQA
    from napari_iqmaps.training.weights import write_weights

    paths = {}
    for name, network in (("deepbqa", DeepBQA), ("diqa", DIQA)):
        with torch.random.fork_rng():
            torch.manual_seed(5)
            made = network()
        made.uncertainty.deviations.fill_(8)
        paths[name] = tmp_path_factory.mktemp("weights") / f"{name}.safetensors"
        write_weights(paths[name], name, made, {})
    return paths


@pytest.fixture(scope="session")
def scene():
    """Blobs of several sizes: enough detail for every block, and for features to be found."""

    def made(seed=4, shape=(140, 180)):
        random = np.random.default_rng(seed)
        sizes = ((6, 60), (2.5, 25), (1, 8))
        image = sum(gain * size * ndimage.gaussian_filter(random.normal(size=shape), size) for size, gain in sizes)
        return np.clip(128 + 2 * image, 0, 255).astype(np.uint8)

    return made


@pytest.fixture(scope="session")
def shift():
    """Rows and columns by which the moving image is off."""
    return 5, 3


@pytest.fixture(scope="session")
def trio(scene, shift):
    """A moving image, the same put right, and the fixed one, which is brighter."""
    from napari_iqmaps.core.registration.warp import warp_image

    whole = scene()
    fixed = whole[20:116, 20:140]
    down, right = shift
    moving = whole[20 - down : 116 - down, 20 - right : 140 - right]
    registered = warp_image(moving, [[1, 0, -right], [0, 1, -down], [0, 0, 1]], fixed.shape)
    return moving, registered, np.clip(fixed.astype(int) + 20, 0, 255).astype(np.uint8)


@pytest.fixture
def open_judge(qtbot, viewer):
    from napari_iqmaps.plugin.diff_diff import DiffDiff

    def opened():
        widget = DiffDiff(viewer)
        qtbot.addWidget(widget)
        return widget

    return opened


@pytest.fixture
def judged(finish):
    """Run the widget; give the result."""

    def done(widget):
        widget.run()
        finish(widget)
        return widget._current[0]

    return done


@pytest.fixture
def add_trio(viewer, trio):
    """Add the three layers, with options that all of them get."""

    def added(**options):
        names = ("moving", "registered", "fixed")
        return [viewer.add_image(image, name=name, **options) for image, name in zip(trio, names, strict=True)]

    return added


@pytest.fixture
def layer_of(viewer):
    """Find the layer of a role by what its name begins with."""
    begins = {"map": "Diff-diff", **{role: role.capitalize() for role in ("before", "after", "marks", "blocks")}}

    def found(role):
        return next((layer for layer in viewer.layers if layer.name.startswith(begins[role] + ":")), None)

    return found
