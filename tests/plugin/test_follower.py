"""The follower tells changed pixels from a moved slider, and speaks once."""

import numpy as np
import pytest

from napari_iqmaps.plugin.follower import REST_MILLISECONDS, Connections, Follower


@pytest.fixture
def follower(qtbot):
    follower = Follower()
    follower.count = 0

    def count():
        follower.count += 1

    follower.changed.connect(count)
    yield follower
    follower.stop()


def test_new_data_are_noticed_once_they_rest(qtbot, viewer, follower):
    layer = viewer.add_image(np.zeros((8, 9)))
    follower.watch([layer])
    for value in range(5):
        layer.data = np.full((8, 9), value)
    qtbot.waitUntil(lambda: follower.count > 0)
    qtbot.wait(2 * REST_MILLISECONDS)
    assert follower.count == 1


def test_pixels_written_in_place_are_noticed_with_refresh(qtbot, viewer, follower):
    layer = viewer.add_image(np.zeros((8, 9)))
    follower.watch([layer])
    layer.data[3, 4] = 1
    layer.refresh()
    qtbot.waitUntil(lambda: follower.count == 1)


def test_another_plane_is_no_change(qtbot, viewer, follower):
    layer = viewer.add_image(np.random.default_rng(0).random((4, 8, 9)))
    follower.watch([layer])
    viewer.dims.set_current_step(0, 2)
    layer.refresh()
    qtbot.wait(3 * REST_MILLISECONDS)
    assert follower.count == 0


def test_a_drawn_region_is_noticed(qtbot, viewer, follower):
    shapes = viewer.add_shapes()
    follower.watch([shapes])
    shapes.add_rectangles([[0, 0], [4, 4]])
    qtbot.waitUntil(lambda: follower.count == 1)


def test_a_follower_that_stopped_is_silent(qtbot, viewer, follower):
    layer = viewer.add_image(np.zeros((8, 9)))
    follower.watch([layer])
    follower.stop()
    layer.data = np.ones((8, 9))
    qtbot.wait(2 * REST_MILLISECONDS)
    assert follower.count == 0


def test_connections_end_together(viewer):
    heard = []
    connections = Connections()
    connections.connect(viewer.layers.events.inserted, lambda event: heard.append(event))
    viewer.add_image(np.zeros((4, 4)))
    connections.close()
    viewer.add_image(np.zeros((4, 4)))
    assert len(heard) == 1
