"""The napari face: layers, threads and widgets around the core, and no numbers of its own."""
