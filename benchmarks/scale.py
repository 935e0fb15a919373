"""Measures collections on Ray on this machine, and prints Markdown tables.

    python benchmarks/scale.py --json docs/results/scale.json
    python benchmarks/scale.py --files 40 --parts speed memory

Parts: `speed` compares one and two actors with `artcolor colorize` on one and two cores, and with two such commands at
once, which is what the machine itself can do in parallel (1 % of the files are damaged); `sizes` colorizes pictures of
0.05, 1 and 12 megapixels; `kills` ends a worker, a machine of a cluster and the driver with SIGKILL; `rows` measures
the driver alone, with workers that do nothing; `requests` counts what an object store is asked (moto's server stands in
for it). The speed of a run is that of its middle: between the 10 % and the 90 % of results that are written first. So
starting is not in it; it is stated on its own.
"""

import argparse
import contextlib
import datetime
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet
from moto.server import ThreadedMotoServer
from PIL import Image

from artcolor.batch.saving import Saving
from artcolor.files import sha256_of
from artcolor.scale.rows import ROWS
from artcolor.scale.worker import Worker, make_colorizer

ROOT = Path(__file__).resolve().parent.parent
MAIN = "from artcolor.cli import main; main()"
PARTS = ("speed", "sizes", "kills", "rows", "requests")
SIZES = {"0.05": (250, 200), "1": (1155, 866), "12": (4000, 3000)}

# In a process of its own, as Ray's settings are read once. Ends with what it measured as JSON.
RAY_RUN = """
import json, sys, time
from artcolor.scale import colorize_dataset
scans, out, journal, model, actors = sys.argv[1:]
begun = time.time()
done = colorize_dataset(scans, out, journal=journal, model=model, actors=int(actors))
print(json.dumps({"counts": done.counts, "wall": time.time() - begun}))
"""
NODE_KILL = """
import json, os, signal, sys
import ray
from ray.cluster_utils import Cluster
from artcolor.scale import colorize_dataset
scans, out, journal, model = sys.argv[1:]
small = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=small)
# Connected to the first one.
ray.init(address=cluster.address, log_to_driver=False)
second = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
cluster.wait_for_nodes()
lost = []
def progress(counts, total):
    if not lost:
        lost.append(1)
        os.kill(second.all_processes["raylet"][0].process.pid, signal.SIGKILL)
print(json.dumps(dict(colorize_dataset(scans, out, journal=journal, model=model, actors=2, progress=progress).counts)))
"""
NOTHING = """
import json, sys, time
import psutil
from artcolor.scale import run
from artcolor.scale.rows import read_rows
from artcolor.scale.worker import Worker
from artcolor.batch.addresses import path_of

class Idle(Worker):
    def _colorize(self, rows):
        row = {"status": "colorized", "seconds": 0.1, "color": 0.0, "error": "", "sha256": "0" * 64}
        return [{**row, "number": each["number"], "weights": "unet.art_v6", "stop": ""} for each in rows]

run.Worker = Idle
manifest, place, model = sys.argv[1:]
memory = lambda: psutil.Process().memory_info().rss
seen = []
progress = lambda counts, total: seen.append((time.time(), sum(counts.values())))
# Imports what reads manifests.
read_rows(path_of(place + "/few.parquet"), path_of(place + "/out"))
start, begun = memory(), time.time()
rows = read_rows(path_of(place + "/many.parquet"), path_of(place + "/out"))
planned = len(rows) / (time.time() - begun)
per_row = (memory() - start) / len(rows)
run.colorize_dataset(
    manifest, place + "/out", journal=place + "/journal", model=model, actors=2, progress=progress
)
(first, some), (last, every) = seen[0], seen[-1]
begun = time.time()
again = run.colorize_dataset(manifest, place + "/out", journal=place + "/journal", model=model, actors=2)
assert again.before == again.total
speed = (every - some) / max(last - first, 1e-9)
said = {"planned": planned, "journaled": speed, "again": time.time() - begun, "driver_bytes": per_row}
print(json.dumps(said))
"""


def gray(width, height, seed):
    """A picture of soft fields with grain like that of scans."""
    rng = np.random.default_rng(seed)
    fields = Image.fromarray(rng.integers(40, 216, (12, 16), dtype=np.uint8))
    pixels = np.array(fields.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = np.resize(rng.normal(0, 4, (512, width)).round().astype(np.int16), (height, width))
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


def make(folder, count, size, *, bad=True):
    """JPEG files; a dozen different ones are enough. Every hundredth is damaged (and of fewer, one)."""
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number:05}.jpg"
        if bad and number % 100 == 50 % count:
            path.write_bytes(b"\xff\xd8\xff no picture")
        elif number < 12:
            gray(*size, number).save(path, quality=90)
        else:
            shutil.copy(folder / f"{number % 12:05}.jpg", path)
    return folder


def environment(**more):
    # Ray lets its workers wait for all else on a machine, and `artcolor colorize` does not.
    return {**os.environ, "PYTHONPATH": str(ROOT), "RAY_worker_niceness": "0", **more}


class Memory(threading.Thread):
    """Notes the largest unique and resident set of each process in which pictures are colorized."""

    def __init__(self):
        super().__init__(daemon=True)
        self.uss, self.rss, self.pids, self.ended = 0, 0, set(), threading.Event()

    def run(self):
        while not self.ended.wait(0.5):
            for process in workers(os.getpid()):
                with contextlib.suppress(psutil.Error):
                    found = process.memory_full_info()
                    self.uss, self.rss = max(self.uss, found.uss), max(self.rss, found.rss)
                    self.pids.add(process.pid)


def workers(pid):
    """Processes of Ray's actors that colorize, below a process."""
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(pid).children(recursive=True)
        names = {process: "" for process in family}
        for process in family:
            with contextlib.suppress(psutil.Error):
                names[process] = " ".join(process.cmdline())
        return [process for process, name in names.items() if "ray::MapWorker" in name]
    return []


def speed_of(*folders):
    """Pictures a second between the first and the last tenth of results."""
    times = sorted(path.stat().st_mtime for folder in folders for path in folder.rglob("*.jpg"))
    first, last = len(times) // 10, len(times) * 9 // 10
    return (last - first) / max(times[last] - times[first], 1e-9)


def run_ray(scans, place, model, actors):
    out, journal = place / "out", place / "journal"
    command = [sys.executable, "-c", RAY_RUN, scans, out, journal, model, str(actors)]
    memory = Memory()
    memory.start()
    begun = time.time()
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    memory.ended.set()
    if done.returncode:
        raise SystemExit(done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    first = min(path.stat().st_mtime for path in out.rglob("*.jpg"))
    found = {"counts": told["counts"], "wall": told["wall"], "start": first - begun, "speed": speed_of(out)}
    return {**found, "uss": memory.uss, "rss": memory.rss}


def run_commands(folders, place, model, cores):
    """Runs `artcolor colorize` once for each folder, each on cores of its own."""
    begun, processes = time.time(), []
    for number, folder in enumerate(folders):
        own = sorted(os.sched_getaffinity(0))[number * cores : (number + 1) * cores]
        command = [sys.executable, "-c", MAIN, "colorize", folder, "-o", place / str(number), "-q", "-m", model]
        processes.append(
            subprocess.Popen(
                command,
                env=environment(OMP_NUM_THREADS="1"),
                stderr=subprocess.DEVNULL,
                preexec_fn=lambda own=own: os.sched_setaffinity(0, own),
            )
        )
    for process in processes:
        process.wait()
    wall = time.time() - begun
    outs = [place / str(number) for number in range(len(folders))]
    first = min(path.stat().st_mtime for out in outs for path in out.rglob("*.jpg"))
    return {"wall": wall, "start": first - begun, "speed": speed_of(*outs)}


def measure_speed(place, args):
    scans = make(place / "scans", args.files, SIZES["0.05"])
    halves = [place / "half0", place / "half1"]
    for half in halves:
        half.mkdir()
    for number, path in enumerate(sorted(scans.iterdir())):
        shutil.copy(path, halves[number % 2] / path.name)
    found = {
        "one actor": run_ray(scans, place / "ray1", args.model, 1),
        "two actors": run_ray(scans, place / "ray2", args.model, 2),
        "one command, one core": run_commands([scans], place / "alone1", args.model, 1),
        "one command, two cores": run_commands([scans], place / "alone2", args.model, 2),
        "two commands, one core each": run_commands(halves, place / "halves", args.model, 1),
    }
    same = all(
        path.read_bytes() == (place / "alone2/0" / path.name).read_bytes()
        for path in (place / "ray2/out").rglob("*.jpg")
    )
    speed = {name: each["speed"] for name, each in found.items()}
    ratios = {
        "two actors to one": speed["two actors"] / speed["one actor"],
        "two commands to one": speed["two commands, one core each"] / speed["one command, one core"],
        "overhead": 1 - speed["two actors"] / speed["one command, two cores"],
    }
    return {"runs": found, "ratios": ratios, "bad": sum(1 for n in range(args.files) if n % 100 == 50 % args.files),
            "same_bytes": same}  # fmt: skip


def measure_sizes(place, args):
    found = {}
    for name, size in SIZES.items():
        count = max(8, min(args.files // 2, round(args.files * 0.05 / float(name) / (0.25 if name == "12" else 0.4))))
        scans = make(place / name, count, size, bad=False)
        run = run_ray(scans, place / f"ray{name}", args.model, 2)
        files = {kind: [path.stat().st_size for path in folder.rglob("*.jpg")]
                 for kind, folder in (("read", scans), ("written", place / f"ray{name}" / "out"))}  # fmt: skip
        sums = {kind: sum(sizes) / len(sizes) for kind, sizes in files.items()}
        found[name] = {"files": count, "speed_a_core": run["speed"] / 2, **sums, "uss": run["uss"], "rss": run["rss"]}
        shutil.rmtree(scans)
    return found


def judged(scans, out, journal):
    """What is lost, torn or there twice."""
    rows = pa.concat_tables([pa.parquet.read_table(path) for path in journal.glob("*.parquet")]).to_pylist()
    colorized = [row for row in rows if row["status"] == "colorized"]
    there = {row["key"]: row for row in rows}
    return {
        "lost": sum(1 for path in scans.iterdir() if path.name not in there),
        "torn": sum(1 for row in colorized if sha256_of(Path(row["result"])) != row["sha256"])
        + sum(1 for path in out.rglob("*.tmp")),
        "twice": len(colorized) - len({row["key"] for row in colorized}),
    }


def measure_kills(place, args):
    count = max(20, args.files // 10)
    scans = make(place / "scans", count, SIZES["0.05"])
    found = {}
    for what in ("worker", "machine", "driver"):
        out, journal = place / what / "out", place / what / "journal"
        given = [scans, out, journal, args.model]
        begun = time.time()
        if what == "machine":
            # A machine that does not answer for two seconds is lost.
            settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0f" * 32}
            settings |= {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "4"}
            command = [sys.executable, "-c", NODE_KILL, *given]
            # Its status is that of a Ray one of whose processes was killed.
            subprocess.run(command, env=environment(**settings), capture_output=True, check=False)
        else:
            command = [sys.executable, "-c", RAY_RUN, *given, "2"]
            process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and sum(1 for _ in out.rglob("*.jpg")) < count // 4:
                time.sleep(0.01)
            for victim in workers(process.pid)[:1] if what == "worker" else [process]:
                victim.kill()
            process.wait()
            if what == "driver":
                subprocess.run(command, env=environment(), capture_output=True, check=True)
        found[what] = {**judged(scans, out, journal), "seconds": time.time() - begun}
    return {"files": count, **found}


def measure_rows(place, args):
    count = args.files * 10
    place.mkdir()
    # Planning is so much faster that it needs more of them.
    keys = [f"box {number // 1000}/{number:08}.jpg" for number in range(10 * count)]
    uris = [f"s3://library/scans/{key}" for key in keys]
    for name, number in (("few", 10), ("all", count), ("many", 10 * count)):
        table = pa.table({"key": keys[:number], "uri": uris[:number]})
        pa.parquet.write_table(table, place / f"{name}.parquet")
    command = [sys.executable, "-c", NOTHING, place / "all.parquet", place, args.model]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    size = sum(path.stat().st_size for path in (place / "journal").glob("*.parquet"))
    return {
        "rows": count,
        "planned_a_second": told["planned"],
        "journaled_a_second": told["journaled"],
        "joined_a_second": count / told["again"],
        "journal_bytes_a_row": size / count,
        "driver_bytes_a_row": told["driver_bytes"],
    }


class Requests(logging.Handler):
    def __init__(self):
        super().__init__()
        self.methods = Counter()

    def emit(self, record):
        with contextlib.suppress(IndexError):
            self.methods[record.getMessage().split('"')[1].split()[0]] += 1


def measure_requests(place, args):
    """Counts the requests for each picture of 0.05 and of 12 megapixels."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    logger, counted = logging.getLogger("werkzeug"), Requests()
    logger.addHandler(counted)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    store.mkdir("library")
    worker = Worker(args.model, {}, Saving(force=True), make_colorizer(args.model, {}).provenance, 1, None)
    worker._begin = lambda *_, **__: 0
    worker._end = lambda *_, **__: None
    found, number = {}, 0
    for name in ("0.05", "12"):
        scans, rows = make(place / name, 4, SIZES[name], bad=False), []
        for path in sorted(scans.iterdir()):
            store.put_file(str(path), f"library/{name}/{path.name}")
            row = {"uri": f"s3://library/{name}/{path.name}", "result": f"s3://library/color/{name}/{path.name}"}
            rows.append({"key": path.name, **row, "found": False, "hints": [], "options": ""})
        table = pa.Table.from_pylist(rows, schema=ROWS).append_column("number", pa.array(range(number, number + 4)))
        number += 4
        counted.methods.clear()
        made = worker(table)
        assert set(made["status"].to_pylist()) == {"colorized"}, made.to_pylist()
        found[name] = {method: count / 4 for method, count in sorted(counted.methods.items())}
    server.stop()
    return found


def show(found):
    print(f"{found['machine']}, `{found['model']}`, {found['date']}")
    for part, content in found.items():
        if isinstance(content, dict):
            print(f"\n### {part}\n")
            for name, value in content.items():
                print(f"- {name}: {json.dumps(value)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000, help="number of small files")
    parser.add_argument("--model", default="unet")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    machine = f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    found = {"date": f"{datetime.date.today()}", "machine": machine, "model": args.model, "files": args.files}
    with tempfile.TemporaryDirectory() as place:
        for part in args.parts:
            begun = time.time()
            found[part] = globals()[f"measure_{part}"](Path(place) / part, args)
            print(f"{part}: {time.time() - begun:.0f} s", file=sys.stderr)
            shutil.rmtree(Path(place) / part, ignore_errors=True)
    show(found)
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
