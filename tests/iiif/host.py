"""A IIIF host on loopback, and manifests of its pictures."""

import io
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.conftest import make_painting

Answer = Callable[[BaseHTTPRequestHandler], None]


def gray_jpeg(seed: int, width: int = 96, height: int = 80) -> bytes:
    make_painting(seed, width, height).convert("L").save(file := io.BytesIO(), "JPEG")
    return file.getvalue()


class Host:
    """Answers with what is in `files`: bytes, JSON, or a function; all else is not found.

    Attributes:
        files: path → answer.
        asked: paths of the requests, in their order.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes | dict[str, Any] | Answer] = {}
        self.asked: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(self.path)
                answer = host.files.get(self.path)
                if callable(answer):
                    answer(self)
                elif answer is None:
                    self.send_error(404)
                else:
                    send(self, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.name = f"127.0.0.1:{self._server.server_port}"
        self.address = f"http://{self.name}"

    def add_picture(self, identifier: str, seed: int, *, version: int = 3, **info: Any) -> None:
        """A picture with an image service that gives it whole."""
        size = "max" if version == 3 else "full"
        self.files[f"/{identifier}/full/{size}/0/default.jpg"] = gray_jpeg(seed)
        self.files[f"/{identifier}/info.json"] = {"width": 96, "height": 80, **info}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def redirect(address: str) -> Answer:
    return lambda handler: send(handler, b"", 302, Location=address)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Sends a byte now and then, and never ends."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b".")
            time.sleep(0.05)
    except OSError:
        pass


def canvas(base: str, identifier: str, **image: Any) -> dict[str, Any]:
    """A canvas of version 3, whose picture has an image service."""
    service = f"{base}/{identifier}"
    return {
        "id": f"{base}/canvas/{identifier}",
        "type": "Canvas",
        "label": {"en": [f"Page {identifier}"]},
        "width": 96,
        "height": 80,
        "items": [
            {
                "id": f"{base}/canvas/{identifier}/page",
                "type": "AnnotationPage",
                "items": [
                    {
                        "id": f"{base}/canvas/{identifier}/annotation",
                        "type": "Annotation",
                        "motivation": "painting",
                        "target": f"{base}/canvas/{identifier}",
                        "body": {
                            "id": f"{service}/full/max/0/default.jpg",
                            "type": "Image",
                            "format": "image/jpeg",
                            "service": [{"id": service, "type": "ImageService3", "profile": "level1"}],
                            **image,
                        },
                    }
                ],
            }
        ],
    }


def manifest(base: str, *identifiers: str) -> dict[str, Any]:
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{base}/manifest.json",
        "type": "Manifest",
        "label": {"en": ["Letters"]},
        "requiredStatement": {"label": {"en": ["Attribution"]}, "value": {"en": ["A museum"], "fr": ["Un musée"]}},
        "metadata": [{"label": {"en": ["Author"]}, "value": {"none": ["Nobody"]}}],
        "items": [canvas(base, each) for each in identifiers],
    }


def old_manifest(base: str, *identifiers: str) -> dict[str, Any]:
    """The same in version 2."""
    return {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@id": f"{base}/manifest.json",
        "@type": "sc:Manifest",
        "label": [{"@value": "Letters", "@language": "en"}, {"@value": "Lettres", "@language": "fr"}],
        "description": "Old letters",
        "attribution": "A museum",
        "license": "http://creativecommons.org/licenses/by/4.0/",
        "logo": f"{base}/logo.png",
        "viewingHint": "paged",
        "metadata": [{"label": "Author", "value": ["Nobody", {"@value": "Personne", "@language": "fr"}]}],
        "related": {"@id": f"{base}/about", "format": "text/html"},
        "seeAlso": {"@id": f"{base}/mets.xml", "format": "text/xml"},
        "within": f"{base}/collection",
        "thumbnail": {"@id": f"{base}/t.jpg", "service": _old_service(f"{base}/t")},
        "sequences": [
            {
                "@type": "sc:Sequence",
                "startCanvas": f"{base}/canvas/{identifiers[0]}",
                "canvases": [
                    {
                        "@id": f"{base}/canvas/{each}",
                        "@type": "sc:Canvas",
                        "label": f"p. {each}",
                        "width": 96,
                        "height": 80,
                        "otherContent": [{"@id": f"{base}/list/{each}", "@type": "sc:AnnotationList"}],
                        "images": [
                            {
                                "@type": "oa:Annotation",
                                "motivation": "sc:painting",
                                "on": f"{base}/canvas/{each}",
                                "resource": {
                                    "@id": f"{base}/{each}/full/full/0/default.jpg",
                                    "@type": "dctypes:Image",
                                    "format": "image/jpeg",
                                    "width": 96,
                                    "height": 80,
                                    "service": _old_service(f"{base}/{each}"),
                                },
                            }
                        ],
                    }
                    for each in identifiers
                ],
            }
        ],
        "structures": [
            {"@id": f"{base}/r0", "@type": "sc:Range", "label": "All", "ranges": [f"{base}/r1"]},
            {"@id": f"{base}/r1", "@type": "sc:Range", "label": "One", "canvases": [f"{base}/canvas/{identifiers[0]}"]},
        ],
    }


def _old_service(address: str) -> dict[str, str]:
    context, profile = "http://iiif.io/api/image/2/context.json", "http://iiif.io/api/image/2/level1.json"
    return {"@context": context, "@id": address, "profile": profile}
