"""Ways to register, compared on the same pairs of images by one judge, and what can be concluded from it."""
