"""Released weights: what is known of them, and where their files are."""
