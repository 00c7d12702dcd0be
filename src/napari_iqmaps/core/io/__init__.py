"""Read images and maps, write maps: the door to files. Everything is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..maps import QualityMap
from .reading import ImageFile, read_image
from .scores import score_row, write_scores

__all__ = ["MAP_SUFFIXES", "ImageFile", "read_image", "read_map", "score_row", "write_map", "write_scores"]

MAP_SUFFIXES = (".tif", ".tiff", ".png")
"""What `write_map` writes: values to go on with (TIFF), and a picture to look at (PNG)."""


def write_map(quality_map: QualityMap, path: str | Path) -> Path:
    """Write a map to a file.

    Parameters
    ----------
    quality_map : QualityMap
        The map; a lazy one is computed, whole.
    path : str or pathlib.Path
        ``.tif`` or ``.tiff``: float32 values, NaN and stacks included, losslessly compressed, with the map's kind,
        score and info inside; `read_map` gives it back. ``.png``: the map in colours at its own resolution, with a
        legend that names numbers, unit and meaning, and the score in words. A stack becomes one sheet of its
        planes (64 at most, evenly spaced) on a common scale. The PNG carries the same record as text.

    Returns
    -------
    pathlib.Path
        The file. It replaces one of the same name only when it is complete.

    Raises
    ------
    InputError
        If the suffix is another, the folder is missing, or the system refuses to write.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in MAP_SUFFIXES:
        raise InputError(
            f"A map is written as .tif (values) or .png (a picture with a legend), not as {path.suffix or path.name!r}."
        )
    quality_map = quality_map.compute()
    if suffix == ".png":
        from .legend import write_png  # matplotlib takes a while to import

        write_png(quality_map, path)
    else:
        from .records import write_tiff

        write_tiff(quality_map, path)
    return path


def read_map(path: str | Path) -> QualityMap:
    """Read a map that `write_map` wrote as TIFF.

    Parameters
    ----------
    path : str or pathlib.Path
        A ``.tif`` or ``.tiff`` file.

    Returns
    -------
    QualityMap
        Equal to the one written: values bit for bit, kind, score and info.

    Raises
    ------
    InputError
        If the file is missing, is not such a map, is damaged, or was written by a later version.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}. Check the name and the folder.")
    if path.suffix.lower() == ".png":
        raise InputError(f"{path} is a picture of a map; its values are in the TIFF. Write .tif to read it back.")
    from .records import read_tiff

    return read_tiff(path)
