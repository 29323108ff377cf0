import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class LoopbackHub:
    """A hub on this machine, in the wire format of the real one; its connection may break.

    Attributes:
        repositories: files by the id of their repository.
        cuts: so many times the connection breaks after 1,024 bytes of a safetensors file.
        asked: method, path and range of every request.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.cuts = 0
        self.asked: list[tuple[str, str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub._answer(self, with_body=False)

            def do_GET(self) -> None:
                hub._answer(self, with_body=True)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _answer(self, request: BaseHTTPRequestHandler, *, with_body: bool) -> None:
        path = unquote(urlsplit(request.path).path)
        asked_range = request.headers["Range"]
        self.asked.append((request.command, path, asked_range))
        for id_, files in self.repositories.items():
            if path.startswith(f"/api/models/{id_}/tree/"):
                return self._send(request, 200, json.dumps([self._entry(*file) for file in files.items()]).encode())
            if path in (f"/api/models/{id_}", f"/api/models/{id_}/revision/main"):
                return self._send(request, 200, json.dumps(self._info(id_)).encode())
            name = path.removeprefix(f"/{id_}/resolve/").partition("/")[2]
            if path.startswith(f"/{id_}/resolve/") and name in files:
                return self._send_file(request, files[name], name, with_body=with_body)
        missing = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
        return self._send(request, 404, b"{}", missing)

    def _info(self, id_: str) -> dict[str, Any]:
        files = self.repositories[id_]
        siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
        return {"id": id_, "modelId": id_, "sha": COMMIT, "tags": ["license:apache-2.0"], "siblings": siblings}

    def _entry(self, name: str, data: bytes) -> dict[str, Any]:
        return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}  # noqa: S324

    def _send_file(self, request: BaseHTTPRequestHandler, data: bytes, name: str, *, with_body: bool) -> None:
        start = int((request.headers["Range"] or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
            "X-Linked-Size": str(len(data)),
        }
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        cut = with_body and name.endswith(".safetensors") and self.cuts > 0
        self.cuts -= cut
        self._send(request, 206 if start else 200, data[start:], headers, with_body=with_body, cut=cut)

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler,
        status: int,
        data: bytes,
        headers: dict[str, str] | None = None,
        *,
        with_body: bool = True,
        cut: bool = False,
    ) -> None:
        request.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            request.send_header(key, value)
        request.end_headers()
        if with_body:
            request.wfile.write(data[:1024] if cut else data)
        request.close_connection = cut


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A hub on this machine, in place of the real one."""
    loopback = LoopbackHub()
    thread = threading.Thread(target=loopback.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", loopback.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # as whoever runs the tests may have set
    yield loopback
    loopback.server.shutdown()
    loopback.server.server_close()
    thread.join()
