"""Where requests may lead: https and public addresses only; the address that was checked is the one connected to."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from lti_tool.platform_http.answers import AddressNotAllowed, shown

CONNECT_SECONDS = 3.05
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Inside a network although ipaddress calls them global: site-local addresses, and those of special services.
_INSIDE = tuple(ipaddress.ip_network(each) for each in ("fec0::/10", "192.0.0.0/24", "168.63.129.16/32"))


def check_url(url: str, *, allow_private: bool) -> None:
    """Raise :class:`AddressNotAllowed` unless this is an https address (or http, where private ones are allowed)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise AddressNotAllowed("the address cannot be read") from error
    if parts.scheme not in ({"http", "https"} if allow_private else {"https"}):
        raise AddressNotAllowed(f"{shown(url)}: only https is allowed")
    # A backslash ends the host for urllib3, and is part of it for urlsplit: they would mean different hosts.
    if not parts.hostname or parts.username is not None or parts.password is not None or "\\" in url:
        raise AddressNotAllowed(f"{shown(url)}: not an address of a platform")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; what is embedded in an IPv6 address counts too."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if embedded is None and ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if embedded is not None:
            return is_public(str(embedded))
    is_inside = any(ip in network for network in _INSIDE)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not is_inside


class CheckingAdapter(HTTPAdapter):
    """Transport whose connections check where they lead."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: object) -> None:
        """Pools of checking connections in place of plain ones."""
        super().init_poolmanager(connections, maxsize, block, **options)
        pools: dict[str, type[HTTPConnectionPool] | type[HTTPSConnectionPool]]
        pools = {"http": _CheckingPool, "https": _CheckingTlsPool}
        self.poolmanager.pool_classes_by_scheme = pools


class _CheckingConnection(HTTPConnection):
    """Resolves once, checks the addresses, and connects to one that was checked; Host and SNI keep the name."""

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _CheckingTlsConnection(HTTPSConnection):
    """The same under TLS."""

    def _new_conn(self) -> socket.socket:
        return _connected(self)


class _CheckingPool(HTTPConnectionPool):
    ConnectionCls = _CheckingConnection  # pyright: ignore[reportAssignmentType]


class _CheckingTlsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckingTlsConnection  # pyright: ignore[reportAssignmentType]


def _connected(connection: HTTPConnection) -> socket.socket:
    host, port = connection.host.strip("[]"), connection.port
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not is_public(str(address[0])):
            raise AddressNotAllowed(f"{host} leads to an address inside a private network")
        dialling = socket.socket(family, kind, protocol)
        try:
            dialling.settimeout(CONNECT_SECONDS)
            dialling.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            dialling.connect(address)
        except OSError as error:
            dialling.close()
            failure = error
        else:
            # The pool sets the timeout of reading afterwards.
            return dialling
    raise NewConnectionError(connection, f"cannot connect to {host}:{port}: {failure}") from failure
