"""GitHub on loopback, for torch.hub.

torch.hub builds addresses of https://github.com itself. Nothing of torch is replaced here: a process is told by the
usual environment variables that its proxy is this server and which certificate it may trust (`environment`). The server
answers CONNECT, ends the encryption itself with that certificate, and says what GitHub says about one repository.
"""

import contextlib
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_HOSTS = "github.com", "codeload.github.com"


class GitHubServer(ThreadingHTTPServer):
    """Serves one repository as a zip.

    Args:
        repo: `owner/name`.
        archive: what GitHub would make of it.
        folder: for the certificate.
    """

    daemon_threads = True

    def __init__(self, repo: str, archive: bytes, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repo, self.archive = repo, archive
        self.requests: list[str] = []
        self.certificate, key = folder / "certificate.pem", folder / "key.pem"
        names = ",".join(f"DNS:{host}" for host in _HOSTS)
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=github.com"
        )
        files = ["-keyout", key, "-out", self.certificate, "-addext", f"subjectAltName={names}"]
        subprocess.run([*command.split(), *files], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process meet this server where it looks for GitHub."""
        proxy = f"http://127.0.0.1:{self.server_port}"
        return {"https_proxy": proxy, "HTTPS_PROXY": proxy, "no_proxy": "", "SSL_CERT_FILE": str(self.certificate)}


class _Handler(BaseHTTPRequestHandler):
    server: GitHubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        host, _, port = self.path.partition(":")
        if host not in _HOSTS or port != "443":
            self.server.requests.append(f"CONNECT {self.path}")
            return self.send_error(403)
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError), self.server.context.wrap_socket(self.connection, server_side=True) as inner:
            _Encrypted(inner, self.client_address, self.server, host)


class _Encrypted(BaseHTTPRequestHandler):
    server: GitHubServer

    def __init__(self, request: ssl.SSLSocket, address: object, server: socketserver.BaseServer, host: str) -> None:
        self.host = host
        super().__init__(request, address, server)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.host}{self.path}")
        owner_and_name = self.server.repo
        if self.host == "github.com" and self.path == f"/{owner_and_name}/tree/main/":
            return self._answer(200, b"<html></html>")
        if self.host == "github.com" and self.path == f"/{owner_and_name}/zipball/main":
            place = f"https://codeload.github.com/{owner_and_name}/legacy.zip/refs/heads/main"
            return self._answer(302, b"", {"Location": place})
        if self.host == "codeload.github.com" and self.path == f"/{owner_and_name}/legacy.zip/refs/heads/main":
            return self._answer(200, self.server.archive)
        return self._answer(404, b"")

    def _answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(repo: str, archive: bytes, folder: Path) -> Iterator[GitHubServer]:
    """A server for as long as a block of code runs."""
    server = GitHubServer(repo, archive, folder)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
