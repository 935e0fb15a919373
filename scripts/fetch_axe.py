"""Fetches axe-core from npm; the tests check the accessibility of the page with it.

Run from a checkout, before the tests: python scripts/fetch_axe.py
"""

from pathlib import Path

from fetch_onnxruntime_web import fetch, save

_VERSION = "4.14.1"
_URL = f"https://registry.npmjs.org/axe-core/-/axe-core-{_VERSION}.tgz"
# As `npm view axe-core@VERSION dist.integrity` prints it.
_INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_OUT = Path(__file__).resolve().parent.parent / ".cache" / "axe-core"


def main() -> None:
    """Fetches axe-core and its license."""
    try:
        save(fetch(_URL, _INTEGRITY, ("axe.min.js", "LICENSE")), _OUT)
    except (ValueError, OSError) as error:
        raise SystemExit(f"axe-core was not fetched: {error}") from None


if __name__ == "__main__":
    main()
