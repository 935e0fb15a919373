"""Measure `artcolor serve`; prints a Markdown table.

    python benchmarks/serve.py
    python benchmarks/serve.py --repeat 50 --posts 400 --mutated 0 --small

The server runs in a separate process, on loopback. Time is that of colorizing a JPEG file to JPEG, in this process and
over HTTP, alternately. Memory is the largest resident memory of the server. Mutated requests are those of
tests/serve/test_mutated.py, which fails if one is answered with 500 or leaves a session or a place behind. Large
pictures have 8000 x 8000 pixels; four clients at once send them, first to be colorized, then into sessions, then with
16 bits a channel into sessions and to be colorized.
"""

import argparse
import collections
import contextlib
import io
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import tifffile
from PIL import Image

from artcolor.batch.pipe import colorize_stream
from artcolor.engine.options import DEFAULT_MODEL
from artcolor.serve.models import make_colorizer
from artcolor.serve.settings import Settings

COMMAND = [sys.executable, "-c", "from artcolor.cli import main; main()"]
BARS = {
    "p50 above in-process, ms": 10,
    "peak memory, MB": 1500,
    "peak memory with large pictures, MB": 1500,
    "peak memory with large sessions, MB": 1500,
    "peak memory with 16 bits a channel, MB": 1500,
}
LARGE, AT_ONCE = 8000, 4


def painted(width, height):
    """Returns a JPEG file with smooth gradients and the grain of scans."""
    y, x = np.mgrid[:height, :width]
    soft = 120 + 50 * np.sin(x / width * 9) + 40 * np.cos(y / height * 7)
    grain = np.random.default_rng(0).normal(0, 4, (height, width))
    Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8)).save(file := io.BytesIO(), "JPEG", quality=90)
    return file.getvalue()


@contextlib.contextmanager
def server(model):
    """Yields the process of a server, and a client of it."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "-m", model], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            address = next(word for word in line.split() if word.startswith("http")).rstrip(";")
            with httpx.Client(base_url=address, timeout=300) as client:
                yield process, client
        finally:
            process.terminate()


def seconds(function):
    """Returns the time that a function takes, and what it returns."""
    begun = time.perf_counter()
    found = function()
    return time.perf_counter() - begun, found


def in_process(model, picture):
    """Returns the colored file, without a server."""
    colorize_stream(make_colorizer(model, Settings()), picture, file := io.BytesIO())
    return file.getvalue()


def peak(process):
    """Returns the largest resident memory of a process so far, in MB."""
    return int(Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def in_color():
    """Returns a large JPEG file."""
    picture = Image.open(io.BytesIO(painted(LARGE, LARGE)))
    Image.merge("RGB", [picture, picture, picture]).save(file := io.BytesIO(), "JPEG", quality=85)
    return file.getvalue()


def deep():
    """Returns a large TIFF file with 16 bits a channel, without grain, which could not be compressed."""
    x = np.linspace(0, 9, LARGE, dtype=np.float32)
    gray = (20000 + 15000 * np.sin(x)[None, :] + 12000 * np.cos(x)[:, None]).astype(np.uint16)
    kind = {"compression": "zlib", "predictor": True, "photometric": "rgb"}
    tifffile.imwrite(file := io.BytesIO(), np.stack([gray] * 3, -1), **kind)
    return file.getvalue()


def large(model, work, picture):
    """Returns the peak memory of a server while several clients send large pictures."""
    with server(model) as (process, client), ThreadPoolExecutor(AT_ONCE) as threads:
        statuses = list(threads.map(lambda _: work(client, picture), range(AT_ONCE)))
        assert set(statuses) <= {200, 404, 503} and 200 in statuses, statuses
        return peak(process)


def colorized(client, picture):
    return client.post("/api/colorize", content=picture).status_code


def in_session(client, picture):
    """Status of the result; 404 if the session had to make room for another one."""
    started = client.post("/api/sessions", content=picture)
    if started.status_code != 201:
        return started.status_code
    session = f"/api/sessions/{started.json()['id']}"
    client.put(f"{session}/guidance", json={"vividness": 1})
    return client.get(f"{session}/result").status_code


def in_both(client, picture):
    status = in_session(client, picture)
    return status if status != 200 else colorized(client, picture)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--size", nargs=2, type=int, default=(1000, 800), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--posts", type=int, default=200, help="posts at once")
    parser.add_argument("--mutated", type=int, default=20_000, help="mutated requests; 0 leaves them out")
    parser.add_argument("--small", action="store_true", help="leave out large pictures")
    options = parser.parse_args()
    picture = painted(*options.size)
    wanted = in_process(options.model, picture)
    rows = []
    with server(options.model) as (process, client):

        def post():
            return client.post("/api/colorize", content=picture)

        def post_alone(_):
            return httpx.post(client.base_url.join("/api/colorize"), content=picture, timeout=300)

        assert post().content == wanted, "the server gives other bytes"
        times = [
            (seconds(lambda: in_process(options.model, picture))[0], seconds(post)[0]) for _ in range(options.repeat)
        ]
        inside, served = 1000 * np.median(times, axis=0)
        rows += [
            ("in-process, ms", inside),
            ("p50 over HTTP, ms", served),
            ("p50 above in-process, ms", served - inside),
        ]
        with ThreadPoolExecutor(options.posts) as threads:
            answers = list(threads.map(post_alone, range(options.posts)))
        counts = collections.Counter(answer.status_code for answer in answers)
        assert set(counts) <= {200, 503}, counts
        assert all(answer.content == wanted for answer in answers if answer.status_code == 200)
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
        assert post().content == wanted, "the server gives other bytes afterwards"
        rows += [(f"pictures of {options.posts} posts at once", counts[200]), ("answers with 503", counts[503])]
        rows += [("peak memory, MB", peak(process))]
    if not options.small:
        rows += [("peak memory with large pictures, MB", large(options.model, colorized, in_color()))]
        rows += [("peak memory with large sessions, MB", large(options.model, in_session, in_color()))]
        rows += [("peak memory with 16 bits a channel, MB", large(options.model, in_both, deep()))]
    if options.mutated:
        environment = {**os.environ, "ARTCOLOR_MUTATED_REQUESTS": str(options.mutated)}
        test = "tests/serve/test_mutated.py"
        subprocess.run([sys.executable, "-m", "pytest", "-q", test], check=True, env=environment, stdout=sys.stderr)
        rows += [("mutated requests without a failure", options.mutated)]
    print("| what | measured | bar | kept |")
    print("|---|---|---|---|")
    for name, value in rows:
        bar = BARS.get(name)
        kept = "" if bar is None else "yes" if value <= bar else "no"
        print(f"| {name} | {value:.1f} | {'' if bar is None else bar} | {kept} |".replace(".0 |", " |"))


if __name__ == "__main__":
    main()
