"""Tiny scored images: three scenes of filtered noise, with noise and blur of several strengths."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from napari_iqmaps.training.visibility.recipe import TrainingConfig


def _write_manifest(path, rows, best=0, worst=100, columns="file,reference,score,type,scene"):
    path.write_text(f"# best: {best}\n# worst: {worst}\n{columns}\n" + "".join(f"{row}\n" for row in rows))
    return path


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    rows = []
    for scene in range(3):
        texture = ndimage.gaussian_filter(rng.normal(0, 90, (64 + 8 * scene, 80)), 1 + scene)
        reference = np.clip(texture + 128, 0, 255).astype(np.uint8)
        Image.fromarray(reference).save(folder / f"scene{scene}.png")
        for level in range(3):
            noisy = reference + rng.normal(0, 3 * 2**level, reference.shape)
            blurred = ndimage.gaussian_filter(reference.astype(float), 0.5 * (1 + level))
            for kind, image in (("noise", noisy), ("blur", blurred)):
                name = f"{kind}{scene}_{level}.png"
                Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / name)
                rows.append(f"{name},scene{scene}.png,{20 + 25 * level + scene},{kind},photo{scene}")
    return _write_manifest(folder / "tiny.csv", rows)


@pytest.fixture
def small_recipe():
    def make(network, **changes):
        small = {"steps": 8, "images": 6, "patches": 2, "precision": "32-true"} | changes
        return replace(TrainingConfig.default(network), **small)

    return make


@pytest.fixture(scope="session")
def write_manifest():
    return _write_manifest
