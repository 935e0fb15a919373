import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from artcolor.cli.app import app
from artcolor.errors import ConfigError
from artcolor.evaluate.benchmark import evaluate
from artcolor.evaluate.sweep import Sweep, choose_row, hold_out_sources, sizes_around, sweep
from artcolor.evaluate.sweep_bench import Row, Setting, SourceRow
from artcolor.evaluate.sweep_tables import plot_sweep, summary, sweep_to_markdown
from artcolor.models.cnn import cnn


def row(delta: float, distance: float, rival: bool = False) -> Row:
    return Row(Setting(192, vividness=delta), rival, 23.0, 41 + delta, delta, distance, None, 0.5)


class TestSweep:
    def test_agrees_with_the_benchmark_and_chooses(self, gallery: Path) -> None:
        found = sweep(
            "l_prior",
            gallery,
            sizes=(192,),
            vividness=(0, 1),
            temperatures=(1, 0.5),
            gains=(1, 3),
            lite0=False,
            limit=2,
        )
        evaluated = evaluate(["l_prior"], gallery, split="val", protocol="paintings-whole", limit=2, seconds=False)
        plain = next(row for row in found.rows if row.setting == Setting(192, 1, 0))
        assert plain.psnr == pytest.approx(evaluated.interval("l_prior", "psnr").mean, abs=0.01)
        assert plain.delta_colorfulness == pytest.approx(
            evaluated.interval("l_prior", "delta_colorfulness").mean, abs=0.05
        )
        assert plain.fd_grid == pytest.approx(evaluated.interval("l_prior", "fd_grid").mean, rel=0.01)
        settings = {(row.setting.temperature, row.setting.vividness) for row in found.rows if not row.rival}
        assert settings >= {(1, 0), (1, 1), (0.5, 0), (0.5, 1)}
        assert {row.setting.gain for row in found.rows if row.rival} >= {1, 3}
        assert found.chosen in found.rows
        assert found.rival.rival
        assert (found.split, found.n) == ("val", 2)

    def test_other_sizes_use_the_best_temperature(self, gallery: Path, tmp_path: Path) -> None:
        seen: list[str] = []

        def run() -> Sweep:
            return sweep(
                "cnn",
                gallery,
                sizes=(96, 64),
                vividness=(0, 1),
                temperatures=(1, 0.5),
                gains=(1, 2),
                lite0=False,
                limit=2,
                out=tmp_path,
                progress=lambda doing, done, total: seen.append(doing),
            )

        first = run()
        own = [row for row in first.rows if row.setting.size == 96]
        other = [row for row in first.rows if row.setting.size == 64]
        assert {row.setting.temperature for row in own} == {1, 0.5}
        assert {row.setting.temperature for row in other if not row.rival} == {
            choose_row(own, rival=False).setting.temperature
        }
        assert any(row.rival for row in other)
        # At another size, the network has another input.
        assert other[0].psnr != own[0].psnr
        assert {"network at 96 px", "network at 64 px"} <= set(seen)
        seen.clear()
        assert run() == first
        assert set(seen) == {"truth"}

    def test_sizes_surround_the_default_of_the_model(self) -> None:
        assert sizes_around(cnn(width=16)) == [192, 144, 256]

    def test_the_lowest_distance_wins_among_the_colorful(self) -> None:
        rows = [row(-5, 1), row(0.4, 50), row(-0.3, 40), row(0.1, 60), row(0, 10, rival=True)]
        assert choose_row(rows, rival=False) == rows[2]
        assert choose_row(rows, rival=True) == rows[4]
        assert choose_row([row(-5, 1), row(-2, 90)], rival=False).delta_colorfulness == -2
        rows = [row(0, 40), row(-1.5, 50), row(-1.2, 45)]
        assert choose_row(rows, aim=-1.3, rival=False) == rows[2]

    def test_sources_are_held_out(self) -> None:
        # Both suit all pictures; the second suits those of "tate" badly, which only shows on "tate".
        first, second = row(0.1, 50), row(-0.1, 40)
        first = replace(first, sources={"louvre": SourceRow(23, 1, -1, 60), "tate": SourceRow(22, -1, 0.1, 40)})
        second = replace(second, sources={"louvre": SourceRow(24, 4, -4, 20), "tate": SourceRow(21, -6, 0.3, 30)})
        rival = replace(row(0, 10, rival=True), sources=first.sources)
        found = hold_out_sources([first, second, rival])
        assert found["louvre"] == (first.setting, first.sources["louvre"]), "the nearest ΔCF of all others"
        assert found["tate"] == (second.setting, second.sources["tate"]), "the lowest FD-grid of all others"
        swept = Sweep("cnn", "paintings-whole", "val", 9, 41.0, [first, second], second, row(0, 9, rival=True), found)
        assert "2 sources: ΔCF -6.00 to +1.00, PSNR 21.00 to 23.00" in "\n".join(summary(swept))
        assert hold_out_sources([row(0, 10)]) == {}

    def test_names_what_is_wrong(self, gallery: Path) -> None:
        with pytest.raises(ConfigError, match="omit them"):
            sweep("l_prior:vividness=1", gallery)
        with pytest.raises(ConfigError, match="sets vividness, temperature, strength and size itself"):
            sweep("l_prior:strength=2", gallery)
        with pytest.raises(ConfigError, match="two values of vividness"):
            sweep("l_prior", gallery, vividness=(0,))
        with pytest.raises(ConfigError, match="must not be chosen on the split 'test'"):
            sweep("l_prior", gallery, split="test")


class TestTables:
    def test_says_whether_the_rival_is_beaten(self) -> None:
        best, worse, rival = row(0.1, 40), row(0.2, 60), row(-0.1, 50, rival=True)
        text = "\n".join(summary(Sweep("cnn", "paintings-whole", "val", 9, 41.0, [best, rival], best, rival, {})))
        assert "cnn:vividness=0.1,temperature=1,size=192" in text
        assert "does not beat" not in text
        assert "does not beat the rival in FD-grid" in "\n".join(
            summary(Sweep("cnn", "paintings-whole", "val", 9, 41.0, [worse, rival], worse, rival, {}))
        )
        far = row(-9, 40)
        assert "cannot be compared" in "\n".join(
            summary(Sweep("cnn", "paintings-whole", "val", 9, 41.0, [far, rival], far, rival, {}))
        )

    def test_says_why_there_is_no_lite0(self) -> None:
        best, rival = row(0.1, 40), row(-0.1, 50, rival=True)
        text = sweep_to_markdown(
            Sweep("cnn", "paintings-whole", "val", 9, 41.0, [best, rival], best, rival, {}, "no network")
        )
        assert "FD-lite0 is missing: no network" in text
        assert text.count("| – |") == 2

    def test_an_unsupported_format_is_an_error(self, tmp_path: Path) -> None:
        best, rival = row(0.1, 40), row(-0.1, 50, rival=True)
        with pytest.raises(ConfigError, match="plot.abc"):
            plot_sweep(
                Sweep("cnn", "paintings-whole", "val", 9, 41.0, [best, rival], best, rival, {}), tmp_path / "plot.abc"
            )
        assert not list(tmp_path.iterdir())


class TestCommand:
    def test_sweeps_a_model_of_the_zoo(self, gallery: Path, tmp_path: Path) -> None:
        code = "from artcolor.cli import main; main()"
        command = [sys.executable, "-c", code, "evaluate", "cnn", "--sweep", "--limit", "2"]
        done = subprocess.run(
            [*command, "--data", str(gallery), "--out", str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "chosen on val, n = 2: cnn:vividness=" in done.stdout
        found = json.loads((tmp_path / "sweep.json").read_text())
        assert set(found) == {
            *("model", "protocol", "split", "n", "colorfulness", "missing", "chosen", "rival", "held_out", "rows")
        }
        assert (found["model"], found["split"], found["n"]) == ("cnn", "val", 2)
        assert {one["size"] for one in found["rows"]} == {192, 144, 256}
        assert found["chosen"] in found["rows"]
        assert not found["chosen"]["rival"]
        for one in found["rows"]:
            assert 5 < one["psnr"] < 60
            assert one["fd_lite0"] > 0
        table = (tmp_path / "sweep.md").read_text()
        assert table.count("| rival |") + table.count("| **rival** |") == sum(one["rival"] for one in found["rows"])
        with Image.open(tmp_path / "sweep.png") as plot:
            assert plot.size[0] > 1000

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["cnn", "l_prior"], "one model at a time"),
            (["cnn", "--protocol", "report-128"], "sweep on paintings-whole"),
            (["cnn", "--split", "test"], "Sweep on 'val'"),
        ],
    )
    def test_invalid_combinations_are_errors(
        self, arguments: list[str], message: str, gallery: Path, tmp_path: Path
    ) -> None:
        done = CliRunner().invoke(
            app, ["evaluate", *arguments, "--sweep", "--data", f"{gallery}", "--out", f"{tmp_path}"]
        )
        assert isinstance(done.exception, ConfigError)
        assert message in str(done.exception)
        assert not list(tmp_path.iterdir())
