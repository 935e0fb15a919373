"""Generators of site content that depends on code, weights or pictures; `scripts/site_hook.py` calls them."""
