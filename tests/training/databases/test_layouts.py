"""A folder is recognised, or the message says what it lacks; one photograph is one scene in all databases."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.databases import LAYOUTS, list_database
from napari_iqmaps.training.databases.listing import LIVE_KODAK, joined
from napari_iqmaps.training.databases.manifest import pooled, read_manifest
from napari_iqmaps.training.evaluation.protocols import Shares, leave_one_scene_out


@pytest.mark.parametrize("name", ["tid2013", "live", "csiq", "kadid10k"])
def test_each_layout_is_recognised_also_one_folder_further_down(name, request, tmp_path):
    folder = request.getfixturevalue(name)
    first = list_database(folder)
    assert first.name == name
    sha256 = first.sha256
    inner = tmp_path / "unpacked" / "inner"
    inner.parent.mkdir()
    folder.rename(inner)
    again = list_database(inner.parent)
    assert (again.name, again.path, again.sha256) == (name, inner, sha256)
    Path(again.table["file"].iloc[0]).unlink()
    with pytest.raises(InputError, match=r"1 of the \d+ images that .* are missing: .*--skip-missing"):
        read_manifest(inner)
    manifest = read_manifest(inner, skip_missing=True)
    assert (manifest.missing, len(manifest.table)) == (1, len(again.table) - 1)


def test_without_a_reference_its_images_are_left_out(kadid10k):
    (kadid10k / "images" / "I02.png").unlink()
    with pytest.raises(InputError, match="1 of the 21 images"):
        read_manifest(kadid10k)
    manifest = read_manifest(kadid10k, skip_missing=True)
    assert (manifest.missing, set(manifest.table["scene"])) == (6, {"kadid10k_I01", "kadid10k_I81"})
    shutil.rmtree(kadid10k / "images")
    (kadid10k / "images").mkdir()
    with pytest.raises(InputError, match="Of the 18 images .* none is there"):
        read_manifest(kadid10k, skip_missing=True)


def test_an_unknown_folder_names_all_layouts_and_a_part_what_it_lacks(tid2013, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="none of the known layouts") as problem:
        list_database(tmp_path / "empty")
    assert all(layout.title in str(problem.value) for layout in LAYOUTS)
    assert "LIVE release 2 lacks refimgs/, dmos_realigned.mat or dmos.mat" in str(problem.value)
    (tid2013 / "mos_with_names.txt").unlink()
    with pytest.raises(InputError, match=r"part of a database: TID2013 lacks mos_with_names.txt\. Give"):
        list_database(tid2013)
    with pytest.raises(InputError, match="There is no manifest .*TID2013, LIVE release 2, CSIQ, KADID-10k"):
        list_database(tmp_path / "nowhere")


def test_two_databases_under_one_folder_are_not_guessed(tid2013, kadid10k, tmp_path):
    with pytest.raises(
        InputError,
        match="holds several databases .*KADID-10k in .*TID2013 in|holds several databases .*TID2013 in .*KADID-10k in",
    ):
        list_database(tmp_path)


def test_an_empty_list_is_no_database(tid2013):
    (tid2013 / "mos_with_names.txt").write_text("\n")
    with pytest.raises(InputError, match="lists no scored images"):
        list_database(tid2013)


def test_scenes_are_shared_between_databases_and_never_divided(tid2013, live):
    path = tid2013 / "mos_with_names.txt"
    path.write_text(path.read_text().replace("I01_", "I05_").replace("I16_", "I10_"))
    for old, new in (("01", "05"), ("16", "10")):
        (tid2013 / "reference_images" / f"I{old}.BMP").rename(tid2013 / "reference_images" / f"I{new}.BMP")
        for image in list((tid2013 / "distorted_images").glob(f"i{old}_*")):
            image.rename(image.with_name(image.name.replace(f"i{old}", f"i{new}")))
    (live / "refimgs" / "monarch.bmp").rename(live / "refimgs" / "sailing3.bmp")
    for info in live.glob("*/info.txt"):
        info.write_text(info.read_text().replace("monarch", "sailing3"))
    (live / "refnames_all.mat").unlink()
    table = pooled([read_manifest(tid2013), read_manifest(live)])
    assert set(table["scene"]) == {"kodak05", "kodak09|kodak10", "tid2013_25"}
    for fold in [*leave_one_scene_out(table), *Shares(20, 0.4).folds(table)]:
        assert not set(table["scene"].iloc[fold.train]) & set(table["scene"].iloc[fold.test])


def test_scenes_that_may_be_either_are_one():
    scenes = pd.Series(["a", "b|c", "c", "d", "c|e", "f|g", "g"])
    assert joined(scenes).tolist() == ["a", "b|c|e", "b|c|e", "d", "b|c|e", "f|g", "f|g"]


def test_nineteen_references_of_live_are_kodaks():
    names = {name for scene in LIVE_KODAK.values() for name in scene.split("|")}
    assert len(LIVE_KODAK) == len(names) == 19
    assert LIVE_KODAK["parrots"] == "kodak23"
    assert "monarch" not in LIVE_KODAK
