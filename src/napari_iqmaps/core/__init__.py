"""The headless core: maps and scores of image quality, without napari and without Qt."""
