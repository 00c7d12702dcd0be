"""Tiny copies of the published databases, in the layouts that they unpack into."""

import numpy as np
import pytest
from PIL import Image
from scipy import io

SIZE = (40, 48)


def _save(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(40, 210, SIZE, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def tid2013(tmp_path):
    """Two Kodak scenes and the artificial one, three types, two levels; the case of names varies as in real copies."""
    folder, lines = tmp_path / "TID", []
    for scene in (1, 16, 25):
        _save(folder / "reference_images" / (f"I{scene:02d}.BMP" if scene < 25 else "i25.bmp"), scene)
        for kind in (1, 10, 24):
            for level in (1, 2):
                _save(folder / "distorted_images" / f"i{scene:02d}_{kind:02d}_{level}.bmp", 99 * kind + level)
                lines.append(f"{7 - 3 * level + 0.01 * scene:.5f} I{scene:02d}_{kind:02d}_{level}.bmp")
    (folder / "mos_with_names.txt").write_text("\r\n".join(lines) + "\r\n")
    return folder


@pytest.fixture
def live(tmp_path):
    """Three references, one of them not Kodak's; in each folder three images, the last a copy of the reference."""
    folder = tmp_path / "databaserelease2"
    names = ["bikes.bmp", "monarch.bmp", "sailing2.bmp"]
    for number, name in enumerate(names):
        _save(folder / "refimgs" / name, number)
    scores, originals, references = [], [], []
    for place, kind in enumerate(("jp2k", "jpeg", "wn", "gblur", "fastfading")):
        lines = []
        for number in (1, 2, 3):
            _save(folder / kind / f"img{number}.bmp", 10 * place + number)
            lines.append(f"{names[number - 1]} img{number}.bmp {0.0 if number == 3 else 0.5 * number}")
            scores.append(0.0 if number == 3 else 30.0 * number + place)
            originals.append(number == 3)
            references.append(names[number - 1])
        (folder / kind / "info.txt").write_text("\n".join(lines) + "\n\n")
    scores[0] = -2.5
    marks = np.array([originals], dtype=np.uint8)
    io.savemat(folder / "dmos_realigned.mat", {"dmos_new": np.array([scores]), "orgs": marks})
    io.savemat(folder / "dmos.mat", {"dmos": np.array([scores]) / 2 + 1, "orgs": marks})
    io.savemat(folder / "refnames_all.mat", {"refnames_all": np.array([references], dtype=object)})
    return folder


@pytest.fixture
def csiq(tmp_path):
    """Two images, one of a number for a name; scores as CSV."""
    folder, lines = tmp_path / "csiq", ["image,dst_idx,dst_type,dst_lev,dmos_std,dmos"]
    labels = {"noise": "AWGN", "blur": "BLUR", "contrast": "contrast", "fnoise": "fnoise", "jpeg": "JPEG",
              "jpeg 2000": "jpeg2000"}  # fmt: skip
    for image in ("1600", "boston"):
        _save(folder / "src_imgs" / f"{image}.png", len(image))
        for index, (kind, label) in enumerate(labels.items(), start=1):
            for level in (1, 2):
                _save(folder / "dst_imgs" / label.lower() / f"{image}.{label}.{level}.png", index * level)
                lines.append(f"{image},{index},{kind},{level},0.05,{0.1 * index + 0.2 * level:.3f}")
    (folder / "csiq.DMOS.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def kadid10k(tmp_path):
    """Three references, three types, two levels: level 1 is the better one, with the higher score."""
    folder, lines = tmp_path / "kadid10k", ["dist_img,ref_img,dmos,var"]
    for scene in (1, 2, 81):
        _save(folder / "images" / f"I{scene:02d}.png", scene)
        for kind in (1, 9, 25):
            for level in (1, 2):
                name = f"I{scene:02d}_{kind:02d}_{level:02d}.png"
                _save(folder / "images" / name, 99 * kind + level)
                lines.append(f"{name},I{scene:02d}.png,{5 - level},0.3")
    (folder / "dmos.csv").write_text("\n".join(lines) + "\n")
    return folder
