"""Read images and maps, write maps and tables: the door to files. Everything is written whole or not at all."""

from .image_file import ImageFile
from .map_file import MAP_SUFFIXES, read_map, score_row, write_map
from .reading import read_image
from .score_table import write_scores

__all__ = ["MAP_SUFFIXES", "ImageFile", "read_image", "read_map", "score_row", "write_map", "write_scores"]
