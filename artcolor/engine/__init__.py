"""Colorizing: the single path from a picture to its colors."""
