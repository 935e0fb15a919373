"""Fuzz the decoders: mutated files of each format are decoded, colorized and encoded.

    python benchmarks/fuzz.py
    python benchmarks/fuzz.py --formats TIFF --count 500 --out found

Each file must yield pictures or raise an `ArtcolorError`. Any other exception, a crash, a hang and more memory than
`--memory` are findings: their files are saved under `--out`, and the exit status is 1. The same `--seed` gives the
same files.

A file may decompress to 10 million pixels here (`--pixels`). artcolor's default limit of 179 million is as safe, but a
valid file of that size takes seconds and gigabytes, so findings would not stand out.
"""

import argparse
import logging
import multiprocessing
import multiprocessing.connection
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from fuzz_files import SEEDS, mutated

import artcolor
from artcolor.errors import ArtcolorError
from artcolor.images import FORMATS, format_of, open_file, output_suffix, read_provenance, save_pictures

OUTCOMES = ("pictures", "refused", "exceptions", "crashes", "hangs", "memory")
FINDINGS = OUTCOMES[2:]
# A file is encoded if its number is a multiple of ENCODED, and into another format if it is a multiple of CHANGED.
ENCODED, CHANGED = 3, 15


def examine(data, number, format, colorizer, folder, pixels):
    """Decodes, colorizes and encodes a file. Returns `pictures` or `refused`; any other exception is a finding."""
    source = data
    if number % 2:
        # Some codecs, such as libtiff, read a file themselves, but bytes through Pillow.
        source = folder / "source"
        source.write_bytes(data)
    try:
        with open_file(source, max_pixels=pixels) as file:
            colored = colorizer.pictures(file, animated=file.animated)
            if number % ENCODED:
                for each in colored:
                    assert each.pixels.ndim == 3, each.pixels.shape
            else:
                suffix = output_suffix(FORMATS[format].suffixes[0])
                if number % CHANGED == 0:
                    suffix = (".tif", ".png", ".jpg", ".webp", ".jp2")[number // CHANGED % 5]
                target = folder / f"a{suffix}"
                save_pictures(colored, target, provenance=colorizer.provenance)
                assert read_provenance(target) == colorizer.provenance or not format_of(target).xmp
    except ArtcolorError:
        return "refused"
    return "pictures"


def resident():
    """Returns the peak memory of this process in MiB since the last call."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def work(connection, options):
    """Examines the files that it receives, until the connection closes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.getLogger().addHandler(logging.NullHandler())
    torch.set_num_threads(1)
    torch.manual_seed(0)
    colorizer = artcolor.Colorizer(artcolor.cnn(width=16), size=16)
    seeds = {}
    with tempfile.TemporaryDirectory() as folder:
        while True:
            try:
                format, numbers = connection.recv()
            except EOFError:
                return
            seeds[format] = seeds.get(format) or list(SEEDS[format]())
            for number in numbers:
                data = mutated(format, seeds[format], number, options.seed)
                connection.send((number, "begun", "", 0))
                before, detail = resident() and resident(), ""
                try:
                    outcome = examine(data, number, format, colorizer, Path(folder), options.pixels)
                except Exception as error:
                    outcome, detail = "exceptions", f"{type(error).__name__}: {error}"
                needed = resident() - before
                if needed > options.memory and outcome in OUTCOMES[:2]:
                    outcome, detail = "memory", f"{needed:.0f} MiB"
                connection.send((number, outcome, detail, needed))
            connection.send((-1, "done", "", 0))


class Worker:
    """A process that examines files and is replaced when it crashes or hangs."""

    def __init__(self, context, options):
        self._context, self._options = context, options
        self.left = range(0)
        self._start()

    def _start(self):
        self.connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(theirs, self._options), daemon=True)
        self._process.start()
        theirs.close()
        # Time to start does not count as a hang.
        self.number, self.begun = -1, time.monotonic() + 60

    def give(self, format, numbers):
        self.format, self.left = format, numbers
        self.connection.send((format, numbers))

    def again(self):
        """Restarts after the file that killed it."""
        self._process.kill()
        self._process.join()
        self._start()
        self.give(self.format, self.left)

    def stop(self):
        self.connection.close()
        self._process.join(10)
        self._process.kill()


class Run:
    """Counts outcomes, and saves the files that are findings."""

    def __init__(self, options):
        self.options = options
        self.counts = {format: Counter() for format in options.formats}
        self.peaks = dict.fromkeys(options.formats, 0.0)
        self.details = []
        self._seeds = {}

    def note(self, format, number, outcome, detail="", needed=0.0):
        self.counts[format][outcome] += 1
        self.peaks[format] = max(self.peaks[format], needed)
        if self.counts[format].total() == self.options.count:
            print(f"{format}: {dict(self.counts[format])}", file=sys.stderr, flush=True)
        if outcome in FINDINGS:
            seeds = self._seeds.setdefault(format, list(SEEDS[format]()))
            path = self.options.out / f"{format}-{number}-{outcome}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(mutated(format, seeds, number, self.options.seed))
            self.details.append(f"{path}: {detail}")
            print(self.details[-1], file=sys.stderr, flush=True)

    def table(self):
        yield f"| format | files | {' | '.join(OUTCOMES)} | peak MiB |"
        yield "|---" * (len(OUTCOMES) + 3) + "|"
        for format, counts in self.counts.items():
            cells = " | ".join(str(counts[outcome]) for outcome in OUTCOMES)
            yield f"| {format} | {counts.total()} | {cells} | {self.peaks[format]:.0f} |"


def examine_all(options):
    """Distributes the files among workers, and monitors them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["artcolor.engine.colorizer", "torch", "tifffile", "imagecodecs", "pillow_heif"])
    run = Run(options)
    tasks = [
        (format, range(start, min(start + 500, options.first + options.count)))
        for format in options.formats
        for start in range(options.first, options.first + options.count, 500)
    ][::-1]
    workers = [Worker(context, options) for _ in range(options.workers)]
    for worker in workers:
        worker.connection.send(("PNG", range(0)))
    while workers:
        ready = multiprocessing.connection.wait([worker.connection for worker in workers], timeout=1)
        for worker in list(workers):
            died = ""
            if worker.connection in ready:
                try:
                    number, outcome, detail, needed = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    died = "crashes"
                else:
                    if outcome == "begun":
                        worker.number, worker.begun = number, time.monotonic()
                        worker.left = worker.left[1:]
                    elif outcome != "done":
                        run.note(worker.format, number, outcome, detail, needed)
                    elif tasks:
                        worker.give(*tasks.pop())
                    else:
                        worker.stop()
                        workers.remove(worker)
            elif time.monotonic() - worker.begun > options.seconds:
                died = "hangs"
            if died:
                run.note(worker.format, worker.number, died)
                worker.again()
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", nargs="+", choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--count", type=int, default=20_000, help="files of each format")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--pixels", type=int, default=10_000_000, help="limit of pixels per file")
    parser.add_argument("--memory", type=int, default=512, help="limit of memory per file, in MiB")
    parser.add_argument("--seconds", type=float, default=30, help="time limit per file")
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-findings"), help="folder for the files that are findings"
    )
    run = examine_all(parser.parse_args())
    print("\n".join(run.table()))
    return int(bool(run.details))


if __name__ == "__main__":
    sys.exit(main())
