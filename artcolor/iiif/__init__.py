"""IIIF: colorizes the pictures of a manifest, and writes a manifest that shows them beside the originals."""
