"""What the site shows that depends on code, weights or pictures: made when the site is built.

`scripts/site_hook.py` gives it to mkdocs.
"""
