"""A viewer without a window, and what it takes to wait for a widget and to hear what the user would be told."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager

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
def patience():
    return PATIENCE


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """Weights of the blind networks before any training, by the network's name; always the same."""
    import torch

    from napari_iqmaps.core.networks.deepbqa import DeepBQA
    from napari_iqmaps.core.networks.diqa import DIQA
    from napari_iqmaps.training.weights_file import write_weights

    paths = {}
    for name, network in (("deepbqa", DeepBQA), ("diqa", DIQA)):
        with torch.random.fork_rng():
            torch.manual_seed(5)
            made = network()
        made.uncertainty.deviations.fill_(8)
        paths[name] = tmp_path_factory.mktemp("weights") / f"{name}.safetensors"
        write_weights(paths[name], name, made, {})
    return paths
