"""Puts the tables that are made from the manifest where README and docs show them.

Run it from a checkout after a change of the manifest: python scripts/update_tables.py
"""

import re
from pathlib import Path

from artcolor.files import write_atomically
from artcolor.zoo import card

_ROOT = Path(__file__).resolve().parent.parent
_TABLES = {("README.md", "zoo"): card.markdown_table, ("docs/weights.md", "files"): card.files_table}


def main() -> None:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->`."""
    for (document, name), make in _TABLES.items():
        path = _ROOT / document
        pattern = re.compile(f"(?<=<!-- {name} -->\n).*(?=<!-- /{name} -->)", re.DOTALL)
        table = make()
        write_atomically(path, pattern.sub(lambda _, table=table: table, path.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    main()
