"""The manifest is valid, and everything it names is there."""

from fnmatch import fnmatch
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

from npe2 import PluginManifest

import napari_iqmaps
from napari_iqmaps.core.io.image_file import TIFF_SUFFIXES
from napari_iqmaps.core.kinds import KINDS
from napari_iqmaps.plugin import places

MANIFEST = PluginManifest.from_file(Path(napari_iqmaps.__file__).with_name("napari.yaml"))


def test_the_manifest_is_found_by_its_entry_point():
    found = PluginManifest.from_distribution("napari-iqmaps")
    assert found.contributions == MANIFEST.contributions
    assert any(entry.group == "napari.manifest" for entry in distribution("napari-iqmaps").entry_points)


def test_everything_that_it_names_can_be_imported():
    MANIFEST.validate_imports()


def test_every_command_is_used_and_every_use_has_a_command():
    contributions = MANIFEST.contributions
    commands = {command.id for command in contributions.commands}
    uses = (*contributions.widgets, *contributions.sample_data, *contributions.readers, *contributions.writers)
    used = {item.command for item in uses}
    offered = {f"napari-iqmaps.{name}" for name in (*places.OFFERED, places.RUN[0])}  # in the command palette
    assert used | offered == commands
    menus = {name: {item.command for item in items} for name, items in contributions.menus.items()}
    assert set(menus) == {"napari/layers/filter", "napari/layers/measure", "napari/layers/register"}
    assert all(items <= commands for items in menus.values())


def test_the_icon_is_in_the_package_and_is_drawn(qapp):
    package, _, name = MANIFEST.icon.partition(":")
    from qtpy.QtGui import QPixmap

    picture = QPixmap(str(Path(import_module(package).__file__).with_name(name)))
    assert not picture.isNull()


def test_there_are_at_least_four_samples():
    assert len(MANIFEST.contributions.sample_data) >= 4


def test_the_reader_claims_the_names_of_all_maps_and_no_tiff_beside():
    (reader,) = (reader for reader in MANIFEST.contributions.readers if reader.command.endswith("read_map"))

    def claims(name):
        return any(fnmatch(name, pattern) for pattern in reader.filename_patterns)

    assert all(claims(f"cells_{kind}{suffix}") for kind in KINDS for suffix in TIFF_SUFFIXES)
    assert claims("cells.iqmap.tif")
    assert not any(map(claims, ("cells.tif", "cells.ome.tif", "cells_threshold.png", "threshold.tif", "cells.npy")))


def test_the_writer_claims_no_format_of_napari():
    (writer,) = MANIFEST.contributions.writers
    assert set(writer.filename_extensions) == {".iqmap.tif", ".iqmap.png"}
