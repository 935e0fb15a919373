"""Colorizing: one road from a picture to its colors."""
