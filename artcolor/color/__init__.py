"""Colour: CIE Lab, gamut, and quantised ab."""
