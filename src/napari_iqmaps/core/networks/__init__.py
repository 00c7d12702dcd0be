"""The networks: torch modules only, no images, no files, no user interface."""
