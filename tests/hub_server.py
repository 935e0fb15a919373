"""A small server on loopback that speaks as much of the Hugging Face Hub's protocol as the real client needs."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants


class HubServer(ThreadingHTTPServer):
    """Keeps repositories in memory: repository → commit → file → bytes.

    Attributes:
        token: what writing, and reading `private` repositories, asks for.
        faults: what goes wrong with the next requests, by method and file: `{"GET model.safetensors": iter(["500"])}`.
            One of `429`, `500`, `cut` (the connection, in the middle of the body), `short` (half a body, that claims
            to be all), `corrupt` (one bit of the body), `meet` (waits at `barrier`).
        elsewhere: another server that files are redirected to, as the Hub does with large ones.
    """

    daemon_threads = True

    def __init__(self, token: str = "hf_test") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token = token
        self.commits: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        self.requests: list[str] = []
        self.tokens: list[str | None] = []
        self.private: set[str] = set()
        self.faults: dict[str, Iterator[str]] = {}
        self.barrier = threading.Barrier(2, timeout=120)
        self.elsewhere: HubServer | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT should be."""
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, repo: str, files: dict[str, bytes]) -> str:
        """Makes a commit and returns its name."""
        history = self.commits.setdefault(repo, [])
        oid = hashlib.sha1(f"{repo}{len(history)}".encode()).hexdigest()
        history.append((oid, {**(history[-1][1] if history else {}), **files}))
        return oid

    def at(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a revision names."""
        history = self.commits.get(repo, [])
        if revision == "main":
            return history[-1] if history else None
        return next((commit for commit in history if commit[0] == revision), None)


def point_client_to(server: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does for the client in this process, which has read its environment, what HF_ENDPOINT and HF_HOME do."""
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache.parent / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(
        self, code: int, body: bytes, headers: dict[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, code: int, value: object) -> None:
        self._answer(code, json.dumps(value).encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        self.server.tokens.append(self.headers.get("Authorization"))
        path = self.path.partition("?")[0]
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            return self._model_info(match[1], match[2] or "main")
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if match and match[1] in self.server.private and self._token() != self.server.token:
            return self._json(401, {"error": "Invalid username or password."})
        commit = self.server.at(match[1], match[2]) if match else None
        if match is None or commit is None:
            return self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        oid, files = commit
        if match[3] not in files:
            return self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid})
        self._file(match[3], files[match[3]], oid)

    def _file(self, name: str, data: bytes, oid: str) -> None:
        fault = next(self.server.faults.get(f"{self.command} {name}", iter(())), None)
        if fault == "meet":
            self.server.barrier.wait()
        if fault in ("429", "500"):
            return self._answer(int(fault), b"", {"Retry-After": "3"} if fault == "429" else {})
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"ETag": etag, "X-Repo-Commit": oid}
        if self.server.elsewhere is not None:
            headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(len(data))}
            headers["Location"] = f"http://localhost:{self.server.elsewhere.server_port}{self.path}"
            return self._answer(302, b"", headers)
        if fault == "corrupt":
            data = data[:-9] + bytes([data[-9] ^ 4]) + data[-8:]
        if fault == "short":
            data = data[: len(data) // 2]
        if fault == "cut":
            headers["Content-Length"] = str(len(data))
            data = data[: len(data) // 2]
            self.close_connection = True
        return self._answer(200, data, headers, "application/octet-stream")

    def _model_info(self, repo: str, revision: str) -> None:
        commit = self.server.at(repo, revision)
        if commit is None:
            return self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        oid, files = commit
        return self._json(200, {"id": repo, "sha": oid, "siblings": [{"rfilename": name} for name in files]})

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def do_POST(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        body = self._body()
        if self.path == "/api/validate-yaml":
            return self._json(200, {"errors": [], "warnings": []})
        if self._token() != self.server.token:
            return self._json(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            wanted = json.loads(body)
            repo = f"{wanted['organization']}/{wanted['name']}"
            if repo not in self.server.commits:
                self.server.add(repo, {})  # As on the Hub: a new repository has a first commit.
            return self._json(200, {"url": f"{self.server.url}/{repo}", "id": repo, "name": repo})
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main.*", self.path)
        if match is None:
            return self._json(404, {"error": "not found"})
        if match[2] == "preupload":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for file in json.loads(body)["files"]
            ]
            return self._json(200, {"files": files})
        lines = [json.loads(line) for line in body.splitlines()]
        stored = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
        }
        oid = self.server.add(match[1], stored)
        return self._json(200, {"commitUrl": f"{self.server.url}/{match[1]}/commit/{oid}", "commitOid": oid})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body
