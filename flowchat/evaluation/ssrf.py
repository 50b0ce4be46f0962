"""Forbidden addresses: whatever a URL, a redirect or a name server says, nothing private gets a connection.

Every vector goes through the crawler's own Fetcher over real sockets, as an address of its own and as the target of a
redirect. Connections are counted where the process makes them, and none leaves the machine (see sockets.py).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from flowchat.errors import FlowChatError
from flowchat.evaluation import sockets
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.net.fetch import Fetcher
from flowchat.settings import Settings

PUBLIC_V4, PUBLIC_V6 = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"
TIMEOUT_S = 5.0
MIN_VECTORS = 100
REBINDING = ("rebinding.test", "rebinding6.test")

# Kind -> URLs, each of which ends without a connection.
VECTORS: dict[str, tuple[str, ...]] = {
    "loopback": tuple(
        """
        http://127.0.0.1/ http://127.0.0.1:6379/ https://127.0.0.1/ http://127.0.0.53:53/ http://127.255.255.254/
        http://127.0.0.1./ http://[::1]/ http://[0:0:0:0:0:0:0:1]:5432/ http://[0000::0001]/
        """.split()
    ),
    "other ways to write an IPv4 address": tuple(
        """
        http://127.1/ http://127.0.1/ http://2130706433/ http://0x7f000001/ http://0x7F.0x0.0x0.0x1/ http://0x7f.1/
        http://017700000001/ http://0177.0.0.1/ http://0177.0x0.1/ http://00000177.00.00.01/ http://0x0000007f.0.0.1/
        http://127.0x000001/ http://10.0x10203/ http://167772161/ http://0xc0a80101/ http://2852039166/
        http://0xa9fea9fe/ http://0251.0376.0251.0376/ http://169.254.43518/ http://%31%32%37.0.0.1/ http://0/
        """.split()
    ),
    "characters that become digits, dots and letters": (
        "http://１２７.0.0.1/",  # noqa: RUF001
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://127．0．0．1/",  # noqa: RUF001
        "http://𝟣𝟤𝟩.𝟢.𝟢.𝟣/",  # noqa: RUF001
        "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/latest/meta-data/",
        "http://ｌｏｃａｌｈｏｓｔ/",  # noqa: RUF001
        "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
        "http://local\u00adhost/",
        "http://127.0.0.\u200b1/",
    ),
    "this network, private networks, carrier-grade NAT": tuple(
        """
        http://0.0.0.0:8080/ http://0.1.2.3/ http://10.0.0.1/ http://10.255.255.255/ http://172.16.0.1/
        http://172.31.255.255/ http://192.168.0.1/ http://192.168.255.255:8443/ http://100.64.0.1/
        http://100.127.255.255/
        """.split()
    ),
    "link-local and metadata of clouds": tuple(
        """
        http://169.254.0.1/ http://169.254.169.254/latest/meta-data/ http://169.254.170.2/v2/credentials
        http://169.254.0.23/ http://168.63.129.16/metadata http://100.100.100.200/latest/meta-data/
        http://192.0.0.192/opc/v1/ http://[fd00:ec2::254]/latest/meta-data/ http://[fd20:ce::254]/computeMetadata/v1/
        http://metadata.google.internal/computeMetadata/v1/
        """.split()
    ),
    "documentation, benchmarks, multicast, reserved": tuple(
        """
        http://192.0.0.8/ http://192.0.2.1/ http://192.88.99.1/ http://198.18.0.1/ http://198.19.255.255/
        http://198.51.100.7/ http://203.0.113.7/ http://224.0.0.1/ http://239.255.255.250:1900/ http://240.0.0.1/
        http://255.255.255.255/
        """.split()
    ),
    "IPv6": tuple(
        """
        http://[::]/ http://[fe80::1]/ http://[fe80::1%25eth0]/ http://[febf::1]/ http://[fec0::1]/ http://[feff::1]/
        http://[fc00::1]/ http://[fdff::1]/ http://[ff02::1]/ http://[ff0e::1]/ http://[100::1]/ http://[2001:2::1]/
        http://[2001:10::1]/ http://[2001:db8::1]/ http://[3fff::1]/ http://[4000::1]/ http://[5f00::1]/
        """.split()
    ),
    "IPv4 inside IPv6": tuple(
        """
        http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/ http://[0:0:0:0:0:ffff:10.0.0.1]/
        http://[::ffff:169.254.169.254]/ http://[::ffff:168.63.129.16]/ http://[::ffff:0.0.0.0]/
        http://[::ffff:0:127.0.0.1]/ http://[::127.0.0.1]/ http://[::8.8.8.8]/ http://[64:ff9b::127.0.0.1]/
        http://[64:ff9b::a9fe:a9fe]/ http://[64:ff9b::192.168.1.1]/ http://[64:ff9b:1::1]/
        http://[64:ff9b:1:808:808::]/ http://[2002:7f00:1::]/ http://[2002:a9fe:a9fe::1]/ http://[2002:808:808::1]/
        http://[2001:0:53aa:64c::1]/ http://[2001::7f00:1]/
        """.split()
    ),
    "names": tuple(
        """
        http://localhost/ http://LOCALHOST:8080/admin http://localhost./ http://localhost.localdomain/
        http://sub.localhost/ http://ip6-localhost/ http://127.0.0.1.wildcard.test/ http://intranet.test/
        http://unspecified.test/ http://unspecified6.test/ http://unique-local.test/ http://zone.test/
        http://mapped.test/ http://nat64.test/ http://alias.test/ http://mixed.test/ http://mixed-private-first.test/
        http://mixed-families.test/ http://mixed-mapped.test/
        """.split()
    ),
    "tricks of notation": (
        "http:\\\\127.0.0.1\\",
        "http:/127.0.0.1/",
        "http:////127.0.0.1/",
        "  http://127.0.0.1/\n",
        "ht\ntp://127.0.\t0.1/",
        "HTTP://127.0.0.1/",
        "http://127.0.0.1#@public.test/",
        "http://127.0.0.1?@public.test/",
        "http://127.0.0.1\\@public.test/",
        "http://127.0.0.1:80\\.public.test/",
    ),
    "nothing to fetch": tuple(
        """
        http://public.test@127.0.0.1/ http://public.test:80@127.0.0.1/ http://user:secret@public.test/
        http://public.test%40127.0.0.1/ http://127.0.0.1%00.public.test/ http://127.0.0.1:65536/ http://256.0.0.1/
        http://[::1/ http://[::ffff:127.0.0.1.]/ file:///etc/passwd file://127.0.0.1/etc/passwd ftp://127.0.0.1/
        gopher://127.0.0.1:6379/_INFO dict://127.0.0.1:11211/stats ldap://127.0.0.1/ data:text/html,hi
        javascript:alert(1) ws://127.0.0.1/ blob:http://127.0.0.1/ jar:http://127.0.0.1!/
        view-source:http://127.0.0.1/
        """.split()
    ),
}

# What name servers say, one answer after the other, the last one for good.
NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "public.test": ((PUBLIC_V4, PUBLIC_V6),),
    "rebinding.test": ((PUBLIC_V4,), ("127.0.0.1",)),
    "rebinding6.test": ((PUBLIC_V6,), ("::1",)),
    "rebound.test": (("127.0.0.1",),),
    "localhost": (("::1", "127.0.0.1"),),
    "localhost.": (("127.0.0.1",),),
    "localhost.localdomain": (("127.0.0.1",),),
    "sub.localhost": (("127.0.0.1",),),
    "ip6-localhost": (("::1",),),
    "127.0.0.1.wildcard.test": (("127.0.0.1",),),
    "intranet.test": (("10.1.2.3",),),
    "metadata.google.internal": (("169.254.169.254",),),
    "unspecified.test": (("0.0.0.0",),),  # noqa: S104 - an answer, nothing listens there
    "unspecified6.test": (("::",),),
    "unique-local.test": (("fd12:3456::1",),),
    "zone.test": (("fe80::1%eth0",),),
    "mapped.test": (("::ffff:192.168.1.1",),),
    "nat64.test": (("64:ff9b::10.0.0.1",),),
    "alias.test": (("172.17.0.1",),),  # the answer's canonical name is another
    "mixed.test": ((PUBLIC_V4, "192.168.0.10"),),
    "mixed-private-first.test": (("169.254.169.254", PUBLIC_V4),),
    "mixed-families.test": ((PUBLIC_V4, "::1"),),
    "mixed-mapped.test": ((PUBLIC_V4, "::ffff:127.0.0.1"),),
}

REDIRECTS = (
    "//10.0.0.1/",
    "//localhost/",
    "\\\\169.254.169.254\\latest",
    "/\\127.0.0.1:1/",
    "http://127.0.0.1:1/",
    "https://127.0.0.1:1/",
    "http://rebound.test/",
    *(url for urls in VECTORS.values() for url in urls if url == "".join(url.split())),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a fetch ended: the code of its failure, '' for an answer. `connections` are those that it tried to make."""

    code: str
    connections: tuple[tuple[str, int], ...]


class Probe:
    """Fetches like a crawl does. `own` is the address of its server, the one private host that the operator allows."""

    def __init__(self, own: tuple[str, int], seen: sockets.Connections, asked: Counter[str], fetcher: Fetcher) -> None:
        self.own = own
        self.asked = asked
        self._seen = seen
        self._fetcher = fetcher

    async def direct(self, url: str) -> Outcome:
        """Fetch a URL as a user, a page or a sitemap would name it."""
        start = len(self._seen)
        try:
            await self._fetcher.fetch(url)
        except FlowChatError as error:
            return Outcome(error.code, tuple(self._seen[start:]))
        return Outcome("", tuple(self._seen[start:]))

    async def redirected(self, location: str) -> Outcome:
        """Fetch from the own server what answers with this Location."""
        return await self.direct(f"http://{self.own[0]}:{self.own[1]}/{location.encode().hex()}")

    def forbidden(self, outcome: Outcome) -> list[tuple[str, int]]:
        """Connections to neither the public addresses of the names nor the own server."""
        return [to for to in outcome.connections if to != self.own and to[0] not in (PUBLIC_V4, PUBLIC_V6)]


@asynccontextmanager
async def probing() -> AsyncIterator[Probe]:
    """A probe with its server on loopback, while this process's connections and look-ups are watched."""
    server = await asyncio.start_server(_redirect, "127.0.0.1", 0)
    own = ("127.0.0.1", int(server.sockets[0].getsockname()[1]))
    settings = Settings(allow_private_hosts=(f"{own[0]}:{own[1]}",), crawl_timeout_s=TIMEOUT_S)
    async with server, aclosing(Fetcher(settings)) as fetcher:
        with sockets.connections() as seen, sockets.names(NAMES) as asked:
            yield Probe(own, seen, asked, fetcher)


async def _redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Redirect /HEX to what it encodes; anything else is not found."""
    path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
    try:
        head = b"HTTP/1.1 302 Found\r\nLocation: " + bytes.fromhex(path[1:].decode())
    except ValueError:
        head = b"HTTP/1.1 404 Not Found"
    writer.write(head + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


def run(_options: Options) -> Report:
    """Fetch every vector directly and by redirect, and count connections and refusals."""
    return asyncio.run(_measure())


async def _measure() -> Report:
    async with probing() as probe:
        outcomes = [await probe.direct(url) for urls in VECTORS.values() for url in urls]
        outcomes += [await probe.redirected(location) for location in REDIRECTS]
        rebinding = [await probe.direct(f"http://{name}/") for name in REBINDING for _ in range(2)]
        look_ups = max(probe.asked[name] for name in REBINDING)
        public = await probe.direct("http://public.test/")
        own = await probe.direct(f"http://{probe.own[0]}:{probe.own[1]}/not-hex")
        forbidden = sum(len(probe.forbidden(outcome)) for outcome in (*outcomes, *rebinding))
    codes = Counter(outcome.code for outcome in outcomes)
    return Report(
        "Forbidden addresses",
        (
            Measure("vectors", len(outcomes), f">= {MIN_VECTORS}", len(outcomes) >= MIN_VECTORS),
            Measure("connections to forbidden addresses", forbidden, "0", forbidden == 0),
            Measure("refused as address_not_public", codes["address_not_public"]),
            Measure("refused as bad_url", codes["bad_url"]),
            Measure("names without an address", codes["fetch_failed"]),
            Measure("redirects that stay on the allowed server", codes[""]),
            Measure("look-ups of a rebinding name for one fetch", look_ups / 2, "1", look_ups == 2),
            Measure(
                "control: connects to public addresses", len(public.connections), ">= 1", len(public.connections) >= 1
            ),
            Measure("control: connects to the allowed host", len(own.connections), "1", len(own.connections) == 1),
        ),
        (
            "Counted by an audit hook at the socket, whichever library connects; none gets beyond loopback.",
            "robots.txt, sitemaps and redirects go through the same Fetcher, webhooks through the same guard.",
        ),
    )
