"""What a first stage's network says of scored images and of distorted photographs, computed once for all folds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...core import devices
from ...core.errors import InputError, WeightsError
from ...core.networks.blind import BlindNetwork, ErrorTrunk, pooled
from ...core.networks.normalised import CELL
from ...core.tiling import reflected, rounded_up
from ...core.visibility import visibility_map
from ..manifest import Manifest, read_manifest
from ..manifest import pooled as pooled_tables
from ..precision import resolved_precision
from ..samples import read_luminance
from .config import QualityConfig
from .error_training import BLIND_CLASSES
from .forward import cells_of, inner_cells, relative
from .pairs import FIXED_POINT, Fixed, PairBank, as_luminance, fingerprint, learnt_photographs

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

_MARGIN = rounded_up(ErrorTrunk.REACH + 1, CELL)
_SMALLEST = 48
_DECIDING = ("network", "seed", "precision", "middle", "left_out", "hold_out", "pseudo_variants", "variants")


@dataclass(eq=False)
class SeenImages:
    """Images, and what a network says of each.

    Attributes
    ----------
    pooled : list of numpy.ndarray
        float32, ``(130,)``; see `napari_iqmaps.core.networks.blind.pooled`.
    perceptual : list of float
        Mean perceptual error with the first stage's sensitivity; NaN for DIQA.
    luminance : list of numpy.ndarray
        In fixed point, ``(height, width)``; empty for DIQA, as are the next two.
    error, reliability : list of numpy.ndarray
        At the cells, float16: the error at least 0, the reliability not divided by its mean.
    """

    pooled: list[Floats] = field(default_factory=list)
    perceptual: list[float] = field(default_factory=list)
    luminance: list[Fixed] = field(default_factory=list)
    error: list[Halves] = field(default_factory=list)
    reliability: list[Halves] = field(default_factory=list)

    def vectors(self) -> Floats:
        """Give all pooled vectors, ``(images, 130)``."""
        return np.stack(self.pooled) if self.pooled else np.empty((0, 130), np.float32)


class ScoreBank:
    """Scored images and distorted photographs as a first stage's network sees them.

    Parameters
    ----------
    config : QualityConfig
        The recipe.
    start : str or pathlib.Path
        Weights of a first stage. DIQA takes those of either network, which share their trunk.
    manifests : sequence of str, pathlib.Path or Manifest
        Scored images; the first one's scores are the scale.
    photographs : sequence of str or pathlib.Path
        Undistorted pictures, of which those that are held out are not used.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    progress : callable, optional
        Called with ``(images done, images in all)``; raise `Cancelled` in it to stop.

    Attributes
    ----------
    config : QualityConfig
        The recipe that it was made with.
    manifests : list of Manifest
        As read.
    table : pandas.DataFrame
        All scored images, a row each; see `Manifest`.
    scored : SeenImages
        Those images, in the order of the rows.
    distorted : SeenImages
        Distorted photographs.
    distorted_visibility : numpy.ndarray
        What the visibility map says of them with the reference at hand, 0..1.
    record : dict
        What decides all that.

    Raises
    ------
    InputError
        If a picture or a manifest cannot be used.
    WeightsError
        If the weights are of another kind.

    Notes
    -----
    Images are seen whole, reflected beyond their border, as `napari_iqmaps.assess` does. What belongs to a fold, such
    as the scale of pseudo-scores, is not here, so that a bank serves all folds, and recipes that differ only in how
    they learn.
    """

    def __init__(
        self,
        config: QualityConfig,
        start: str | Path,
        manifests: Sequence[str | Path | Manifest],
        photographs: Sequence[str | Path] = (),
        *,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> None:
        self.config = config
        self._state = _start_of(config.network, Path(start))
        self.manifests = [read_manifest(manifest) for manifest in manifests]
        self.table = pooled_tables(self.manifests)
        learnt = learnt_photographs([Path(path) for path in photographs], config.hold_out)
        variants = min(config.pseudo_variants, config.variants)
        smallest = config.crop_side if config.network == "deepbqa" else _SMALLEST
        pairs = PairBank(config, learnt, smallest=smallest) if learnt and variants else None
        self.record: dict[str, Any] = {
            "start": {"file": Path(start).name, "sha256": _sha256(self._state)},
            "data": [
                {"manifest": each.path.name, "sha256": each.sha256, "images": len(each.table)}
                for each in self.manifests
            ],
            "photographs": {"number": len(learnt), "sha256": fingerprint(learnt)} if pairs else {"number": 0},
        }
        target = devices.resolve(device)
        network = self.network().eval().to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
        look = _Look(network, resolved_precision(config.precision, target) != "32-true", target, config)
        self.scored, self.distorted = SeenImages(), SeenImages()
        self._visibility = np.full(len(self.table), np.nan)
        total = len(self.table) + (len(pairs.sources) * variants if pairs else 0)
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, total)

        for file in self.table["file"]:
            look.at(read_luminance(file), self.scored)
            step()
        seen = []
        for index, source in enumerate(pairs.sources if pairs else ()):
            assert pairs is not None
            for variant in range(variants):
                test = pairs.test(index, variant)
                look.at(as_luminance(test), self.distorted)
                seen.append(_visibility(as_luminance(test), as_luminance(source.reference)))
                step()
        self.distorted_visibility = np.array(seen)

    def network(self) -> BlindNetwork:
        """Give a network as the first stage left it, a new one each time."""
        made: BlindNetwork = BLIND_CLASSES[self.config.network]()
        state = made.state_dict()
        kept = {name: tensor for name, tensor in self._state.items() if name in state and _is_learnt(name)}
        made.load_state_dict(state | kept)
        return made

    def visibility(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Say how visible the distortions of scored images are, with the reference at hand.

        Parameters
        ----------
        rows : numpy.ndarray of int
            Of the table. Each is computed when it is first asked for, about a quarter of a second each.

        Returns
        -------
        numpy.ndarray
            0..1, ``(rows,)``.
        """
        files, references = self.table["file"], self.table["reference"]
        for row in rows[np.isnan(self._visibility[rows])]:
            self._visibility[row] = _visibility(read_luminance(files.iloc[row]), read_luminance(references.iloc[row]))
        return self._visibility[rows]

    def check(self, config: QualityConfig) -> None:
        """Refuse a recipe that this bank was not made for.

        Parameters
        ----------
        config : QualityConfig
            The recipe.

        Raises
        ------
        InputError
            What differs.
        """
        for name in _DECIDING:
            mine, other = getattr(self.config, name), getattr(config, name)
            if mine != other:
                raise InputError(f"The images were seen with {name} {mine}, and the recipe has {other}. See them anew.")


class _Look:
    """Runs a network over whole images and keeps what the second stage needs."""

    def __init__(self, network: BlindNetwork, half: bool, device: torch.device, config: QualityConfig) -> None:
        self.network = network
        self.half = half
        self.device = device
        self.keeps_cells = config.network == "deepbqa"
        self.weighs = config.reliability_weighting

    def at(self, luminance: Floats, images: SeenImages) -> None:
        if not np.isfinite(luminance).all():
            raise InputError("A picture has holes (NaN or infinite pixels). Training needs whole images.")
        rows, columns = (
            reflected(np.arange(-_MARGIN, rounded_up(length, CELL) + _MARGIN), length) for length in luminance.shape
        )
        window = torch.from_numpy(luminance[np.ix_(rows, columns)])[None, None].to(self.device)
        with torch.inference_mode():
            cells = inner_cells(cells_of(self.network, window, half=self.half), _MARGIN // CELL)
            images.pooled.append(pooled(cells)[0].cpu().numpy())
            if not self.keeps_cells:
                return
            error = cells.error.clamp_min(0)
            assert cells.sensitivity is not None
            images.perceptual.append(perceptual_error(cells.sensitivity, error, cells.reliability, self.weighs).item())
        images.error.append(error[0, 0].half().cpu().numpy())
        images.reliability.append(cells.reliability[0, 0].half().cpu().numpy())
        images.luminance.append(np.rint(luminance * FIXED_POINT).astype(np.uint16))


def perceptual_error(sensitivity: Tensor, error: Tensor, raw: Tensor, weighs: bool) -> Tensor:
    """Give the mean perceptual error of each image.

    Parameters
    ----------
    sensitivity, error, raw : torch.Tensor
        At the cells, ``(images, 1, rows, columns)``; the last is the reliability, not divided by its mean.
    weighs : bool
        Whether the reliability counts.

    Returns
    -------
    torch.Tensor
        ``(images,)``.
    """
    costs = sensitivity * error
    return (costs * relative(raw) if weighs else costs).mean((1, 2, 3))


def _visibility(test: Floats, reference: Floats) -> float:
    return float(visibility_map(test, reference, model="contrast", data_range=(0, 255)).score)


def _is_learnt(name: str) -> bool:
    return not name.startswith(("evidence.", "uncertainty."))


def _start_of(network: str, path: Path) -> dict[str, Tensor]:
    """Read the weights of a first stage."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise WeightsError(f"There is no file {path}. Give the weights of a first stage.")
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise WeightsError(f"{path} is no safetensors file ({error}). Give the weights of a first stage.") from None
    state = BLIND_CLASSES[network]().state_dict()
    needed = [name for name in state if name.startswith(("trunk.", "sensitivity."))]
    missing = [name for name in needed if name not in tensors or tensors[name].shape != state[name].shape]
    if missing:
        raise WeightsError(
            f"{path} cannot start {network}: {len(missing)} of its {len(needed)} tensors are missing or of another "
            f"shape; the first is {missing[0]}. Give a first stage of {network}"
            f"{' or deepbqa' if network == 'diqa' else ''}."
        )
    return {name: tensor for name, tensor in tensors.items() if name in state and tensor.shape == state[name].shape}


def _sha256(state: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        if _is_learnt(name):
            digest.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
