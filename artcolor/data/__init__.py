"""Data sets of paintings: building, reading, augmenting."""
