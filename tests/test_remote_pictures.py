"""URLs that are refused, wherever they come up, and one that is fetched from this machine in place of a public one."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from llavaplus_graph import user_message
from llavaplus_graph.errors import PictureError
from llavaplus_graph.graph.intake import take_in
from llavaplus_graph.images import ImageStore
from llavaplus_graph.remote_pictures import Fetcher, fetcher_for
from llavaplus_graph.samples import sample

PUBLIC = "93.184.215.14"
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def site(answers: dict[str, Answer]) -> Iterator[tuple[Fetcher, list[tuple[str, int]]]]:
    """A fetcher for which every name is public and every connection ends at a server here; and where it connected."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers[f"{self.headers['Host']}{self.path}"]
            self.send_response(status)
            for key, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    connected: list[tuple[str, int]] = []

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        connected.append((address, port))
        return socket.create_connection(("127.0.0.1", server.server_port), timeout=seconds)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield Fetcher(resolve=lambda host, port: [PUBLIC], connect=connect, max_bytes=100), connected
        server.shutdown()
        thread.join()


def never(address: str, port: int, seconds: float) -> socket.socket:
    raise AssertionError(f"connected to {address}")


def leads_to(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(addresses)


REFUSED = [
    pytest.param("http://127.0.0.1/a.png", id="loopback"),
    pytest.param("http://127.8.9.1/a.png", id="loopback-elsewhere"),
    pytest.param("http://0.0.0.0/a.png", id="any"),
    pytest.param("http://[::1]/a.png", id="loopback-6"),
    pytest.param("http://[::]/a.png", id="any-6"),
    pytest.param("http://10.1.2.3/a.png", id="private-10"),
    pytest.param("http://172.16.0.1/a.png", id="private-172"),
    pytest.param("http://192.168.0.1/a.png", id="private-192"),
    pytest.param("http://[fd00::1]/a.png", id="private-6"),
    pytest.param("http://169.254.169.254/latest/meta-data", id="metadata"),
    pytest.param("http://[fd00:ec2::254]/a.png", id="metadata-6"),
    pytest.param("http://168.63.129.16/a.png", id="metadata-public-number"),
    pytest.param("http://[fe80::1]/a.png", id="link-local-6"),
    pytest.param("http://[fe80::1%25eth0]/a.png", id="scoped"),
    pytest.param("http://100.64.0.1/a.png", id="carrier-grade-nat"),
    pytest.param("http://224.0.0.1/a.png", id="multicast"),
    pytest.param("http://240.0.0.1/a.png", id="reserved"),
    pytest.param("http://198.18.0.1/a.png", id="benchmarking"),
    pytest.param("http://[::ffff:127.0.0.1]/a.png", id="mapped"),
    pytest.param("http://[::ffff:7f00:1]/a.png", id="mapped-hex"),
    pytest.param("http://[::ffff:a9fe:a9fe]/a.png", id="mapped-metadata"),
    pytest.param("http://[2002:7f00:1::]/a.png", id="6to4"),
    pytest.param("http://[64:ff9b::7f00:1]/a.png", id="nat64"),
    pytest.param("http://[2001:0:7f00:1::]/a.png", id="teredo"),
    pytest.param("http://2130706433/a.png", id="decimal"),
    pytest.param("http://0x7f000001/a.png", id="hex"),
    pytest.param("http://0x7f.0.0.1/a.png", id="hex-part"),
    pytest.param("http://0177.0.0.1/a.png", id="octal"),
    pytest.param("http://017700000001/a.png", id="octal-whole"),
    pytest.param("http://127.1/a.png", id="short"),
    pytest.param("http://127.0.0.1./a.png", id="trailing-dot"),
    pytest.param("http://１２７.0.0.1/a.png", id="full-width-digits"),
    pytest.param("http://example.org\\@127.0.0.1/a.png", id="backslash"),
    pytest.param("http://example.org@127.0.0.1/a.png", id="user"),
    pytest.param("http://example.org:80@127.0.0.1/a.png", id="password"),
    pytest.param("http://example.org/a\r\nHost: b", id="line-break"),
    pytest.param("http://example.org:22/a.png", id="port"),
    pytest.param("http://example.org:99999/a.png", id="impossible-port"),
    pytest.param("http:///a.png", id="no-host"),
    pytest.param("http://[::1/a.png", id="broken-bracket"),
    pytest.param("file:///etc/passwd", id="file"),
    pytest.param("ftp://example.org/a.png", id="ftp"),
    pytest.param("gopher://example.org/a.png", id="gopher"),
]


@pytest.mark.parametrize("url", REFUSED)
def test_nothing_but_public_web_addresses_is_connected_to(url: str) -> None:
    with pytest.raises(PictureError, match="the URL"):
        Fetcher(resolve=leads_to(PUBLIC), connect=never).fetch(url)


@pytest.mark.parametrize("url", [*REFUSED, pytest.param("https://example.org/a.png", id="public")])
def test_where_nobody_fetches_every_url_is_refused_unopened(tmp_path: Path, url: str) -> None:
    store = ImageStore(tmp_path)
    with pytest.raises(PictureError, match="URLs are not fetched"):
        user_message("What is it?", images=[url], store=store)
    with pytest.raises(PictureError, match="URLs are not fetched"):
        take_in([HumanMessage([{"type": "image", "url": url}])], [], store)


@pytest.mark.parametrize("url", REFUSED)
def test_where_urls_are_fetched_the_graph_refuses_the_same(tmp_path: Path, url: str) -> None:
    fetcher = Fetcher(resolve=leads_to(PUBLIC), connect=never)
    with pytest.raises(PictureError, match="the URL"):
        take_in([HumanMessage([{"type": "image_url", "image_url": {"url": url}}])], [], ImageStore(tmp_path), fetcher)
    with pytest.raises(PictureError, match="the URL"):
        user_message("What is it?", images=[url], store=ImageStore(tmp_path), fetch_urls=fetcher)


def test_a_picture_that_is_fetched_is_stored_like_any_other(tmp_path: Path) -> None:
    picture = sample("qr").read_bytes()
    with site({"example.org/a.png": (200, {}, picture)}) as (fetcher, _):
        allowed, store = replace(fetcher, max_bytes=len(picture)), ImageStore(tmp_path)
        message = user_message("What is it?", images=["http://example.org/a.png"], store=store, fetch_urls=allowed)
    assert message.content[0] == {"type": "image", "file_id": store.put(picture)}


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.1"], id="loopback"),
        pytest.param([PUBLIC, "10.0.0.1"], id="one-of-two-private"),
        pytest.param(["fe80::1%eth0"], id="scoped"),
        pytest.param(["::ffff:10.0.0.1"], id="mapped"),
    ],
)
def test_a_name_with_an_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    with pytest.raises(PictureError, match="leads to an address that is not public"):
        Fetcher(resolve=leads_to(*addresses), connect=never).fetch("http://localhost.example.org/a.png")


def test_a_name_is_resolved_once_and_the_checked_address_connected_to() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    with site({"example.org/a.png": (200, {}, b"picture")}) as (fetcher, connected):
        rebinding = Fetcher(resolve=lambda host, port: next(answers), connect=fetcher.connect)
        assert rebinding.fetch("http://example.org/a.png") == b"picture"
    assert connected == [(PUBLIC, 80)]


def test_a_redirect_is_followed_to_another_checked_address() -> None:
    moved = (302, {"Location": "//cdn.example.org/b.png?size=1"}, b"")
    answers = {"example.org/a.png": moved, "cdn.example.org/b.png?size=1": (200, {}, b"picture")}
    where = {"example.org": [PUBLIC], "cdn.example.org": ["93.184.215.15"]}
    with site(answers) as (fetcher, connected):
        named = Fetcher(resolve=lambda host, port: where[host], connect=fetcher.connect)
        assert named.fetch("http://example.org/a.png") == b"picture"
    assert connected == [(PUBLIC, 80), ("93.184.215.15", 80)]


@pytest.mark.parametrize("location", ["http://127.0.0.1/b.png", "http://inside.org/b.png", "file:///etc/passwd"])
def test_a_redirect_to_anything_else_is_refused(location: str) -> None:
    where = {"example.org": [PUBLIC], "inside.org": ["192.168.0.1"]}
    with site({"example.org/a.png": (302, {"Location": location}, b"")}) as (fetcher, connected):
        named = Fetcher(resolve=lambda host, port: where[host], connect=fetcher.connect)
        with pytest.raises(PictureError, match=r"not public|neither http nor https"):
            named.fetch("http://example.org/a.png")
    assert connected == [(PUBLIC, 80)]


def test_redirects_come_to_an_end() -> None:
    again = (302, {"Location": "/a.png"}, b"")
    with site({"example.org/a.png": again}) as (fetcher, connected), pytest.raises(PictureError, match="3 redirects"):
        fetcher.fetch("http://example.org/a.png")
    assert len(connected) == 4


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        pytest.param((200, {}, b"x" * 101), "more than 100 bytes", id="long"),
        pytest.param((200, {"Content-Encoding": "gzip"}, b"x"), "comes compressed", id="compressed"),
        pytest.param((404, {}, b"secret"), "answers with status 404; check the URL$", id="missing"),
        pytest.param((302, {}, b""), "answers with status 302", id="redirect-to-nowhere"),
    ],
)
def test_an_answer_that_does_not_do_is_told(answer: Answer, sentence: str) -> None:
    with site({"example.org/a.png": answer}) as (fetcher, _), pytest.raises(PictureError, match=sentence):
        fetcher.fetch("http://example.org/a.png")


def test_a_site_that_drips_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx")
    slow = Fetcher(resolve=leads_to(PUBLIC), connect=lambda *_: ours, seconds=0.05)
    with theirs, pytest.raises(PictureError, match=r"did not answer within 0.05 s"):
        slow.fetch("http://example.org/a.png")


def test_a_site_that_drips_its_headers_is_given_up_too() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 200 OK\r\nX: ")

    def drip() -> None:
        with suppress(OSError):  # until nobody listens; an end of its own, so that the test cannot hang
            for _ in range(60):
                theirs.sendall(b"x")
                time.sleep(0.05)

    dripping = threading.Thread(target=drip)
    dripping.start()
    began = time.monotonic()
    slow = Fetcher(resolve=leads_to(PUBLIC), connect=lambda *_: ours, seconds=0.2)
    with pytest.raises(PictureError, match=r"did not answer within 0.2 s"):
        slow.fetch("http://example.org/a.png")
    dripping.join()
    theirs.close()
    assert time.monotonic() - began < 2


def test_https_wants_the_certificate_of_the_name_and_sends_nothing_before() -> None:
    ours, theirs = socket.socketpair()
    hello: list[bytes] = []

    def listen() -> None:
        with theirs:
            hello.append(theirs.recv(4096))

    thread = threading.Thread(target=listen)
    thread.start()
    with pytest.raises(PictureError, match="cannot be reached"):
        Fetcher(resolve=leads_to(PUBLIC), connect=lambda *_: ours).fetch("https://example.org/secret.png")
    thread.join()
    assert b"example.org" in hello[0]
    assert b"secret" not in hello[0]


def test_what_is_told_hides_passwords_and_queries() -> None:
    with pytest.raises(PictureError) as caught:
        Fetcher(connect=never).fetch("http://me:hunter2@example.org/a.png?token=abc")
    assert "hunter2" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_name_that_leads_nowhere_is_told() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(PictureError, match="has a host that cannot be found"):
        Fetcher(resolve=unknown, connect=never).fetch("http://nowhere.example/a.png")


def test_nobody_fetches_unless_told_to() -> None:
    own = Fetcher(seconds=1)
    assert fetcher_for(False) is None
    assert fetcher_for(True) == Fetcher()
    assert fetcher_for(own) is own
