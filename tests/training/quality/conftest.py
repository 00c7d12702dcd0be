"""Four tiny photographs of different sizes, two tiny scored databases, and recipes that take a second."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from napari_iqmaps.training.quality.bank import ScoreBank
from napari_iqmaps.training.quality.first_stage import BLIND_CLASSES
from napari_iqmaps.training.quality.recipe import QualityConfig
from napari_iqmaps.training.weights import write_weights

SIZES = ((96, 96), (100, 116), (97, 98), (120, 96))


def drawn(rng, shape):
    """Colours with smooth parts, edges and texture."""
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, (*shape, 3)), (9, 9, 0))
    texture = ndimage.gaussian_filter(rng.normal(0, 1, shape), 1)[..., np.newaxis]
    edges = np.where(smooth[..., :1] > 0, 35, -35)
    return np.clip(128 + 900 * smooth + 40 * texture + edges, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(3)
    paths = [folder / f"photo{number}.png" for number in range(len(SIZES))]
    for path, shape in zip(paths, SIZES, strict=True):
        Image.fromarray(drawn(rng, shape)).save(path)
    return paths


@pytest.fixture(scope="session")
def small_recipe():
    def make(network="diqa", **changes):
        small = {
            "stage1_steps": 6,
            "sensitivity_steps": 4,
            "sensitivity_variants": 2,
            "side": 64,
            "photographs_per_step": 2,
            "variants_per_step": 2,
            "variants": 3,
            "crop_cells": 3,
            "precision": "32-true",
        }
        return replace(QualityConfig.default(network), **{**small, **changes})

    return make


@pytest.fixture(scope="session")
def scored(photographs, tmp_path_factory):
    """Two manifests of three scenes each with noise and blur; the second has half the first one's scores."""
    folder = tmp_path_factory.mktemp("scored")
    rng = np.random.default_rng(5)
    manifests = []
    for name, scale, shape in (("first", 1.0, (98, 102)), ("second", 0.5, (96, 110))):
        rows = []
        for scene in range(3):
            reference = drawn(rng, shape)
            Image.fromarray(reference).save(folder / f"{name}{scene}.png")
            for level in (0.5, 1.5, 3.0):
                noisy = reference + rng.normal(0, 8 * level, (*shape, 1))
                blurred = ndimage.gaussian_filter(reference.astype(float), (level, level, 0))
                for kind, pixels in (("noise", noisy), ("blur", blurred)):
                    file = f"{name}{scene}_{kind}{level}.png"
                    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / file)
                    score = scale * (30 * level - 5 * (kind == "blur"))
                    rows.append(f"{file},{name}{scene}.png,{score},{kind},{name}{scene}")
        manifests.append(folder / f"{name}.csv")
        lines = ["# best: 0", "# worst: 100", "file,reference,score,type,scene", *rows]
        manifests[-1].write_text("\n".join(lines) + "\n")
    return manifests


@pytest.fixture(scope="session")
def first_stage(tmp_path_factory):
    """Random first stages, of which the errors and sensitivities are of a usual size."""
    folder = tmp_path_factory.mktemp("first_stage")
    paths = {}
    for network, made in BLIND_CLASSES.items():
        torch.manual_seed(1)
        model = made()
        torch.nn.init.constant_(model.trunk.error.bias, 0.4)
        model.trunk.error.weight.data *= 0.05
        if network == "deepbqa":
            model.sensitivity.convolutions[-1].weight.data *= 0.1
        paths[network] = folder / f"{network}.safetensors"
        write_weights(paths[network], network, model, {"stage": "1"})
    return paths


@pytest.fixture(scope="session")
def score_recipe(small_recipe):
    def make(network="diqa", **changes):
        small = {"stage2_steps": 12, "pseudo_variants": 2, "crops": 3, "crop_side": 64, "crop_cells": 4}
        return small_recipe(network, **{**small, **changes})

    return make


@pytest.fixture(scope="session")
def banks(scored, first_stage, photographs, score_recipe):
    return {
        network: ScoreBank(score_recipe(network), path, scored, photographs) for network, path in first_stage.items()
    }
