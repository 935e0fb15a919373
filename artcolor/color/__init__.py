"""Color: CIE Lab, gamut, and quantized ab."""
