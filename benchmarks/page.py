"""Measures the page that colorizes in the browser, prints the results, and writes docs/results/page.json.

    python scripts/fetch_onnxruntime_web.py
    python benchmarks/page.py
    python benchmarks/page.py --visits 5
    python scripts/update_tables.py

Sizes are those of the files that the page loads or keeps for use without a network: as they are, with gzip -9, and
with brotli if that package is installed. Times are medians in headless Chromium, taken inside the page, from the event
to the picture on the canvas; each visit begins with an empty browser. Pictures are paintings of docs/pictures in gray,
enlarged to one megapixel.
"""

import argparse
import datetime
import functools
import gzip
import http.server
import importlib
import importlib.util
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from artcolor.engine.options import DEFAULT_MODEL
from artcolor.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "page.json"
PICTURES = 6
BARS = {
    "first picture, ms": 4000,
    "next picture, ms": 600,
    "slider, ms": 120,
    "hint, ms": 120,
    "model, bytes": 11_000_000,
    "all but wasm, bytes": 16_000_000,
}
# Notes when something was done, and when the page answered.
OBSERVER = """
window.noted = [];
const note = what => window.noted.push([what, performance.now()]);
for (const kind of ["input", "change", "click", "pointerup"]) addEventListener(kind, () => note(kind), true);
addEventListener("DOMContentLoaded", () => {
  const observe = (place, options, tell) => new MutationObserver(tell).observe(place, options);
  const canvas = document.querySelector('[data-artcolor="result"]');
  observe(canvas, { attributeFilter: ["data-state"] }, () => note(canvas.dataset.state));
  observe(document.body, { subtree: true, childList: true }, changes => {
    const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
    if (added.some(node => node.dataset?.artcolor === "suggestion")) note("suggestions");
  });
  const status = document.querySelector('[role="status"]');
  observe(status, { childList: true, characterData: true }, () => note(`status ${status.textContent}`));
});
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def group(name):
    """Returns what a file belongs to."""
    if name == "model.onnx":
        return "model"
    if name.endswith(".wasm"):
        return "ONNX Runtime, WebAssembly"
    if name.startswith("vendor/"):
        return "ONNX Runtime, JavaScript"
    if name.startswith("samples/"):
        return "paintings"
    return "page"


def sizes(folder, names):
    """Returns bytes of each group of files, as they are and compressed."""
    encoders = {"bytes": bytes, "gzip": lambda data: gzip.compress(data, 9)}
    if importlib.util.find_spec("brotli"):
        encoders["brotli"] = importlib.import_module("brotli").compress
    found = {}
    for name in names:
        data = (folder / name).read_bytes()
        row = found.setdefault(group(name), {"files": 0, **dict.fromkeys(encoders, 0)})
        row["files"] += 1
        for encoding, encode in encoders.items():
            row[encoding] += len(encode(data))
    return dict(sorted(found.items(), key=lambda item: item[1]["bytes"]))


def pictures(folder):
    """Writes gray paintings of one megapixel, and returns their paths."""
    paths = []
    for source in sorted((ROOT / "docs" / "pictures").glob("*.jpg"))[:PICTURES]:
        image = Image.open(source).convert("L")
        factor = (1e6 / (image.width * image.height)) ** 0.5
        paths.append(folder / f"{source.stem}.png")
        image.resize([round(side * factor) for side in image.size], Image.Resampling.LANCZOS).save(paths[-1])
    return paths


class Visit:
    """One visit to the page; `times` collects the milliseconds of each measurement by name."""

    def __init__(self, tab, times):
        self.tab, self.times = tab, times

    def noted(self):
        return self.tab.evaluate("window.noted")

    def measure(self, name, act, event, answer="ready"):
        """Measures the time from an event, triggered by `act`, to the response of the page."""
        self.tab.evaluate("window.noted = []")
        act()
        self.wait(lambda: any(what == answer for what, _ in self.noted()), name)
        noted = self.noted()
        begun = next(time for what, time in noted if what == event)
        ended = next(time for what, time in noted if what == answer and time >= begun)
        self.times.setdefault(name, []).append(ended - begun)

    def wait(self, done, what, seconds=60):
        for _ in range(seconds * 20):
            if done():
                return
            self.tab.wait_for_timeout(50)
        raise SystemExit(f"{what}: no answer of the page within {seconds} s; it noted {self.noted()}")

    def load(self, address):
        self.tab.goto(address)
        idle = self.tab.evaluate("import(new URL('strings.js', location)).then(({ strings }) => strings.idle)")
        self.wait(lambda: any(what == f"status {idle}" for what, _ in self.noted()), "loading")
        self.times.setdefault("loading, ms", []).append(
            next(time for what, time in self.noted() if what == f"status {idle}")
        )

    def open(self, name, picture):
        self.measure(name, lambda: self.tab.set_input_files('[data-artcolor="open"]', picture), "change")

    def slide(self, key):
        slider = self.tab.locator('[data-artcolor="vividness"]')
        self.measure("slider, ms", lambda: slider.press(key), "input")

    def hint(self, x, y):
        """Places a hint at a part of the picture, and takes the likeliest color."""
        box = self.tab.locator('[data-artcolor="result"]').bounding_box()
        place = box["x"] + x * box["width"], box["y"] + y * box["height"]
        self.measure("suggestions, ms", lambda: self.tab.mouse.click(*place), "pointerup", "suggestions")
        self.measure("hint, ms", lambda: self.tab.locator('[data-artcolor="suggestion"]').first.click(), "click")
        self.tab.keyboard.press("Escape")


def visit(browser, address, paths, times):
    """Uses the page as a person would."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.add_init_script(OBSERVER)
    begun = Visit(context.new_page(), times)
    begun.load(address)
    for number, path in enumerate(paths):
        begun.open("next picture, ms" if number else "first picture, ms", path)
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            begun.slide(key)
        for place in ((0.3, 0.3), (0.6, 0.7)):
            begun.hint(*place)
    context.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=3)
    parser.add_argument("--model", type=Path, help="ONNX file; default: the default model")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "scripts"))
    page = importlib.import_module("sitegen.page")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder, times = Path(place) / "page", {}
        page.build(folder, options.model)
        weighed = sizes(folder, [*page.loaded(folder), "service-worker.js"])
        handler = functools.partial(Quiet, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            paths = pictures(Path(place))
            for _ in range(options.visits):
                visit(browser, f"http://127.0.0.1:{server.server_port}/", paths, times)
            version = browser.version
            browser.close()
            server.shutdown()
    found = {
        "date": datetime.date.today().isoformat(),
        "chromium": version.partition(".")[0],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "model": options.model.name if options.model else DEFAULT_MODEL,
        "sizes": weighed,
        "times": {
            name: {"median": round(statistics.median(all_), 1), "count": len(all_)} for name, all_ in times.items()
        },
    }
    show(found)
    write_atomically(options.out, (json.dumps(found, indent=2) + "\n").encode())


def show(found):
    """Prints the results as Markdown tables."""
    encodings = [key for key in ("bytes", "gzip", "brotli") if key in found["sizes"]["model"]]
    print(f"| files | number | {' | '.join(encodings)} |")
    print(f"|---|---|{'---|' * len(encodings)}")
    for name, row in found["sizes"].items():
        print(f"| {name} | {row['files']} | {' | '.join(f'{row[key]:,}' for key in encodings)} |")
    for encoding in encodings:
        print(f"{encoding}: {sum(row[encoding] for row in found['sizes'].values()):,} in all")
    measured = {name: row["median"] for name, row in found["times"].items()}
    measured["model, bytes"] = found["sizes"]["model"]["bytes"]
    measured["all but wasm, bytes"] = sum(
        row["bytes"] for name, row in found["sizes"].items() if "WebAssembly" not in name
    )
    print("\n| what | measured | bar | kept |\n|---|---|---|---|")
    for name, value in measured.items():
        bar = BARS.get(name)
        print(f"| {name} | {value:,} | {bar or ''} | {'' if bar is None else 'yes' if value <= bar else 'no'} |")


if __name__ == "__main__":
    main()
