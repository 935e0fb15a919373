"""Released weights: the manifest that describes them, and where their files are stored."""
