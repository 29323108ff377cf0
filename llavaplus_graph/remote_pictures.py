"""Fetches what a picture's URL leads to, and nothing that is not public: the one place where the package follows URLs.

Knows addresses and HTTP, not pictures. A name is resolved once; all its addresses must be public, and the connection
goes to the very address that was checked, so that no second answer of a name server can lead elsewhere. Every redirect
is checked and pinned in the same way.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from llavaplus_graph.errors import PictureError

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to the numeric addresses of the host; raises `OSError` where there are none."""

Connector = Callable[[str, int, float], socket.socket]
"""A numeric address, a port and a limit in seconds to an open connection; raises `OSError`."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
# What the URL standard takes for an IPv4 address, in whatever base: refused unless it is plain dotted decimal.
_ENDS_IN_A_NUMBER = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)\.?$")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 64 * 1024

# Public by number, and yet the inside of a cloud: the address at which Azure's machines reach their host.
_INSIDE: Final = frozenset({ipaddress.ip_address("168.63.129.16")})
# IPv6 addresses that a gateway turns into IPv4 ones (RFC 6052); what they lead to is its business, not ours to guess.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[str]:
    """The numeric addresses of a host, as the system's resolver gives them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """Connects to a numeric address."""
    return socket.create_connection((address, port), timeout=seconds)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches URLs within limits.

    Attributes:
        max_bytes: how long an answer may be.
        seconds: how long all of it may take, redirects too; a name server is waited for on top of it.
        max_redirects: how many redirects are followed.
        ports: the ports that may be connected to.
        resolve: how names become addresses.
        connect: how a connection to a checked address is made.

    Example:
        >>> Fetcher().fetch("http://169.254.169.254/latest/meta-data")
        Traceback (most recent call last):
        llavaplus_graph.errors.PictureError: ... leads to an address that is not public, and is not fetched
    """

    max_bytes: int = 32 * 1024 * 1024
    seconds: float = 10.0
    max_redirects: int = 3
    ports: Collection[int] = frozenset(_PORTS.values())
    resolve: Resolver = resolve
    connect: Connector = connect

    def fetch(self, url: str) -> bytes:
        """The bytes that a URL leads to; whether they are a picture is for the reader to check.

        Raises:
            PictureError: the URL is not one that is fetched, or nothing came of it; one sentence without anything
                that the other side said.
        """
        ends = time.monotonic() + self.seconds
        secure = False
        for _ in range(self.max_redirects + 1):
            target = self._checked(url)
            if secure and target.scheme == "http":
                raise PictureError(f"{_shown(url)} is where an https URL led, and http is less safe; give another URL")
            secure = target.scheme == "https"
            answer = self._asked(target, ends)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
        raise PictureError(f"{_shown(url)} comes after more than {self.max_redirects} redirects; give the last URL")

    def _checked(self, url: str) -> SplitResult:
        """The parts of a URL, from the one parser that everything here goes by."""
        if any(character <= " " or character == "\\" or character > "~" for character in url):
            raise PictureError(f"{_shown(url)} has characters that no URL has; write it in ASCII, without backslashes")
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            raise PictureError(f"{_shown(url)} is not a URL; check it") from None
        if parts.scheme not in _PORTS:
            raise PictureError(f"{_shown(url)} is neither http nor https, and nothing else is fetched")
        if "@" in parts.netloc or not parts.hostname:
            raise PictureError(f"{_shown(url)} names a user, or no host; write it as https://host/path")
        if port not in self.ports:
            raise PictureError(f"{_shown(url)} names the port {port}; only {sorted(self.ports)} may be connected to")
        return parts

    def _asked(self, parts: SplitResult, ends: float) -> bytes | str:
        """The body of the answer, or where it redirects to."""
        host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
        shown = _shown(parts.geturl())
        address = self._public_address(host, port, shown)
        try:
            with closing(self._connected(address, port, host if parts.scheme == "https" else None, ends)) as line:
                connection = http.client.HTTPConnection(host, port)
                connection.sock = cast(socket.socket, _InTime(line, ends))
                path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                headers = {"Host": parts.netloc, "Accept": "image/*", "User-Agent": "llavaplus-graph"}
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                if response.status in _REDIRECTS and response.headers.get("Location"):
                    return str(response.headers["Location"])
                if response.status != http.client.OK:
                    raise PictureError(f"{shown} answers with status {response.status}; check the URL")
                return self._body(response, shown)
        except (OSError, http.client.HTTPException, ValueError) as err:
            if isinstance(err, PictureError):
                raise
            late = isinstance(err, TimeoutError)
            reason = f"did not answer within {self.seconds:g} s" if late else "cannot be reached"
            raise PictureError(f"{shown} {reason}; download the picture and give its path") from None

    def _public_address(self, host: str, port: int, shown: str) -> str:
        try:
            addresses = [ipaddress.ip_address(host)]
        except ValueError:
            if not _HOST.fullmatch(host) or _ENDS_IN_A_NUMBER.search(host):
                raise PictureError(f"{shown} has a host that is neither a name nor a plain address; check it") from None
            try:
                addresses = [ipaddress.ip_address(found) for found in self.resolve(host, port)]
            except (OSError, ValueError):
                addresses = []
            if not addresses:
                raise PictureError(f"{shown} has a host that cannot be found; check it") from None
        if not all(map(is_public, addresses)):
            raise PictureError(f"{shown} leads to an address that is not public, and is not fetched")
        return str(addresses[0])

    def _connected(self, address: str, port: int, secure_name: str | None, ends: float) -> socket.socket:
        line = self.connect(address, port, _left(ends))
        line.settimeout(_left(ends))
        if secure_name is None:
            return line
        try:
            # The certificate is checked against the name of the URL, although the connection goes to a number.
            return ssl.create_default_context().wrap_socket(line, server_hostname=secure_name)
        except BaseException:
            line.close()
            raise

    def _body(self, response: http.client.HTTPResponse, shown: str) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise PictureError(f"{shown} comes compressed although that was not asked for; download the picture")
        data = bytearray()
        while len(data) <= self.max_bytes:
            piece = response.read1(_PIECE)
            if not piece:
                return bytes(data)
            data += piece
        raise PictureError(f"{shown} leads to more than {self.max_bytes:,} bytes; give a smaller picture")


class _InTime(io.RawIOBase):
    """What `http.client` needs of a connection, with one end for all reads: a site may drip its headers too.

    A socket's own limit begins anew with every byte. It is the caller who closes the connection; `http.client` would do
    so before the body is read.
    """

    def __init__(self, line: socket.socket, ends: float) -> None:
        self._line, self._ends = line, ends

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(_left(self._ends))
        self._line.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  always "rb"
        return io.BufferedReader(_InTime(self._line, self._ends))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # Any: whatever has room for bytes
        self._line.settimeout(_left(self._ends))
        return self._line.recv_into(buffer)


def is_public(address: _Address) -> bool:
    """Whether an address is out on the internet, and so are those that it embeds."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id or address in _TRANSLATED:
            return False
        teredo = address.teredo or ()
        inner = [each for each in (address.ipv4_mapped, address.sixtofour, *teredo) if each is not None]
        if inner:
            return address.ipv4_mapped is not None and all(map(is_public, inner))
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _INSIDE


def is_url(text: str) -> bool:
    """Whether a text can only be meant as a URL; a path never has a scheme of several letters and two slashes."""
    return bool(_SCHEME.match(text))


def fetcher_for(fetch_urls: bool | Fetcher) -> Fetcher | None:
    """What a ``fetch_urls`` argument means: False nobody, True a `Fetcher` with its limits."""
    if isinstance(fetch_urls, Fetcher):
        return fetch_urls
    return Fetcher() if fetch_urls else None


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _shown(url: str) -> str:
    """A URL that somebody else wrote, safe to repeat in a sentence: no password, no query."""
    plain = re.sub(r"//[^/@]*@", "//", url.split("?")[0].split("#")[0])
    return f"the URL {plain if len(plain) <= 80 else plain[:77] + '...'!r}"
