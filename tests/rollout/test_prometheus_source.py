"""Prometheus as a source, against a small fake that misbehaves at will, and against the real one where it is installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.group import Group
from flagconsole.domain.plan_metric import PlanMetric
from flagconsole.rollout.prometheus_source import MAX_ANSWER_BYTES, PrometheusSource, filled
from flagconsole.rollout.sources import Failed, MetricQuery, NoData, NotANumber, Stale, TimedOut, Value

ASKED = MetricQuery("pos.lite", Group.CANARY, "error_rate", 3600)
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
T = NOW.timestamp()


class Fake(ThreadingHTTPServer):
    """Answers with what ``answer`` holds, and remembers the expressions it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.answers: list[bytes] = []
        self.fresh: bytes | None = None
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def vector(self, *samples: tuple[float, str]) -> None:
        result = [{"metric": {"n": str(n)}, "value": list(sample)} for n, sample in enumerate(samples)]
        self.json({"status": "success", "data": {"resultType": "vector", "result": result}})

    def json(self, answer: object) -> None:
        self.answers.append(json.dumps(answer).encode())

    def newest(self, text: str | None) -> None:
        """What is answered to the question for the newest sample; None: nothing."""
        result = [] if text is None else [{"metric": {}, "value": [T, text]}]
        self.fresh = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Fake

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = {name: values[0] for name, values in form.items()}
        self.server.asked.append(asked)
        self.server.go_on.wait(10)
        body = self.server.answers[0]
        if asked["query"].startswith("fresh") and self.server.fresh is not None:
            body = self.server.fresh
        self.send_response(self.server.status)
        for name, value in {"Content-Length": str(len(body)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def fake() -> Iterator[Fake]:
    server = Fake()
    server.newest(str(T))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


async def ask(url, *, freshness="fresh", now=NOW, expression="errors", **options):
    source = PrometheusSource(url, **options)
    try:
        # Past the validation: what a server does with any expression is the point here.
        return await source.read(PlanMetric.model_construct(query=expression, freshness=freshness), ASKED, now)
    finally:
        await source.aclose()


async def test_one_number_is_a_value(fake):
    fake.vector((T, "0.02"))
    fake.newest(str(T - 5))
    assert await ask(fake.url) == Value(0.02, 5)
    assert {"query": "errors", "time": f"{T:.3f}", "timeout": "5s"} in fake.asked


async def test_a_scalar_is_a_number_too(fake):
    fake.json({"status": "success", "data": {"resultType": "scalar", "result": [T, "7"]}})
    assert await ask(fake.url) == Value(7, 0)


async def test_nothing_is_no_data_and_never_zero(fake):
    fake.vector()
    assert isinstance(await ask(fake.url), NoData)


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf"])
async def test_what_is_not_a_number_is_told_apart(fake, text):
    fake.vector((T, text))
    assert await ask(fake.url) == NotANumber(text)


async def test_old_data_is_stale_whatever_time_the_answer_bears(fake):
    fake.vector((T, "0.02"))
    fake.newest(str(T - 91))
    assert await ask(fake.url, freshness='fresh(timestamp(x{f="{flag}"}))') == Stale(0.02, 91)
    assert 'fresh(timestamp(x{f="pos.lite"}))' in [asked["query"] for asked in fake.asked]
    assert await ask(fake.url, stale_seconds=120) == Value(0.02, 91)


async def test_no_freshness_means_no_value(fake):
    fake.vector((T, "0.02"))
    fake.newest(None)
    assert isinstance(await ask(fake.url), NoData)
    fake.newest("NaN")
    assert isinstance(await ask(fake.url), NotANumber)


async def test_a_newest_sample_of_the_future_is_a_mistake(fake):
    fake.vector((T, "0.02"))
    fake.newest(str(T * 1000))
    assert "in the future" in (await ask(fake.url)).problem
    fake.newest(str(T + 30))
    assert await ask(fake.url) == Value(0.02, 0)


async def test_several_series_are_a_mistake_that_is_named(fake):
    fake.vector((T, "1"), (T, "2"))
    assert await ask(fake.url) == Failed("the query gives 2 series; aggregate them to one")


async def test_an_error_is_told_with_its_words_made_safe(fake):
    fake.status = 400
    fake.json({"status": "error", "errorType": "bad_data", "error": "parse \x1b[31merror"})
    found = await ask(fake.url)
    assert isinstance(found, Failed)
    assert found.problem == "bad_data: parse \\u{1b}[31merror"


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>login</html>",
        b"",
        b"[]",
        b"{}",
        b'{"status": "success"}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "many"]}]}}',
        b'{"status": "success", "data": {"resultType": "matrix", "result": []}}',
        b"[" * 5000,
    ],
)
async def test_other_answers_are_failures(fake, answer):
    fake.answers.append(answer)
    assert isinstance(await ask(fake.url), Failed)


async def test_an_answer_without_end_is_cut(fake):
    fake.answers.append(b" " * (MAX_ANSWER_BYTES + 1))
    assert "larger than" in (await ask(fake.url)).problem


async def test_no_redirect_is_followed(fake):
    fake.status, fake.headers = 302, {"Location": f"{fake.url}/elsewhere"}
    fake.answers.append(b"")
    assert isinstance(await ask(fake.url), Failed)
    assert len(fake.asked) == 2


async def test_silence_is_a_timeout(fake):
    fake.vector((T, "1"))
    fake.go_on.clear()
    assert await ask(fake.url, timeout=0.2) == TimedOut(0.2)


async def test_dripping_bytes_are_a_timeout_too():
    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Drip()))
    assert await ask("https://drip", timeout=0.2, transport=transport) == TimedOut(0.2)


async def test_nobody_there_is_a_failure():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert isinstance(await ask(f"http://127.0.0.1:{taken.getsockname()[1]}"), Failed)


def test_placeholders_are_filled_and_other_braces_left_alone():
    text = 'sum(rate(e{flag="{flag}",group=~"{group}|x"}[{window}])) by (le) # {other}'
    assert filled(text, ASKED) == 'sum(rate(e{flag="pos.lite",group=~"canary|x"}[3600s])) by (le) # {other}'


def test_what_is_filled_in_stays_in_its_string():
    hostile = ASKED._replace(flag_name='a"} or vector(0) # \\')
    assert filled('e{flag="{flag}"}', hostile) == 'e{flag="a\\"} or vector(0) # \\\\"}'


@pytest.mark.parametrize(
    "url",
    [
        "prometheus:9090",
        "ftp://p",
        "https://",
        "https://p?x=1",
        "https://p:port",
        "https://ada:secret@p",
        "http://prometheus.example.com:9090",
        "https://pä",
        "https://p\x1b[31m",
    ],
)
def test_addresses_that_cannot_be_used_are_refused(url):
    with pytest.raises(InvalidInput) as refused:
        PrometheusSource(url)
    assert "secret" not in str(refused.value)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://127.0.0.1:9090", {}),
        ("http://[::1]:9090/prom/", {}),
        ("https://prometheus.example.com", {}),
        ("http://prometheus:9090", {"in_clear": True}),
    ],
)
async def test_loopback_tls_and_what_is_allowed_are_taken(url, options):
    await PrometheusSource(url, **options).aclose()


# -- the real one -------------------------------------------------------------------------------------------------------


class _Exporter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        old = int((time.time() - 120) * 1000)
        lines = [
            'requests_total{flag="pos.lite",group="canary",ok="yes"} 98',
            'requests_total{flag="pos.lite",group="canary",ok="no"} 2',
            f'silent{{flag="pos.lite",group="canary"}} 5 {old}',
            "",
        ]
        body = "\n".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory) -> Iterator[str]:
    """A real Prometheus that scrapes an exporter each 200 ms."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus on this machine (Debian has it as the package prometheus)")
    exporter = ThreadingHTTPServer(("127.0.0.1", 0), _Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    folder: Path = tmp_path_factory.mktemp("prometheus")
    target = f"127.0.0.1:{exporter.server_address[1]}"
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        f"scrape_configs: [{{job_name: demo, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_scraped(f"http://{address}", process)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)
        exporter.shutdown()
        exporter.server_close()


def _until_scraped(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "prometheus ended by itself"
        try:
            found = httpx.get(f"{url}/api/v1/query", params={"query": "count(requests_total) + count(silent)"}).json()
            if found["data"]["result"]:
                return
        except (httpx.HTTPError, KeyError, ValueError):  # it says "unavailable" in plain text while it starts
            pass
        time.sleep(0.05)
    raise AssertionError("prometheus scraped nothing")


FAILING = (
    'sum(requests_total{flag="{flag}",group="{group}",ok="no"}) / sum(requests_total{flag="{flag}",group="{group}"})'
)


FRESH = 'max(timestamp(requests_total{flag="{flag}"}))'


async def test_real_value(prometheus):
    found = await ask(prometheus, expression=FAILING, freshness=FRESH, now=datetime.now(UTC))
    assert isinstance(found, Value)
    assert found.value == pytest.approx(0.02)
    assert found.age_seconds < 5


async def test_real_emptiness_nan_and_error(prometheus):
    now = datetime.now(UTC)
    assert isinstance(await ask(prometheus, expression='requests_total{flag="none"}', freshness=FRESH, now=now), NoData)
    assert await ask(prometheus, expression="0 / vector(0)", freshness=FRESH, now=now) == NotANumber("NaN")
    assert await ask(prometheus, expression="1 / vector(0)", freshness=FRESH, now=now) == NotANumber("+Inf")
    wrong = await ask(prometheus, expression="sum(", freshness=FRESH, now=now)
    assert isinstance(wrong, Failed)
    assert wrong.problem.startswith("bad_data: ")
    several = await ask(prometheus, expression="requests_total", freshness=FRESH, now=now)
    assert several == Failed("the query gives 2 series; aggregate them to one")
    assert isinstance(await ask(prometheus, expression="requests_total[1m]", freshness=FRESH, now=now), Failed)


async def test_real_staleness(prometheus):
    # Prometheus itself still answers with the sample of two minutes ago, as if it were of now.
    now = datetime.now(UTC)
    assert isinstance(await ask(prometheus, expression="sum(silent)", freshness=FRESH, now=now), Value)
    found = await ask(prometheus, expression="sum(silent)", freshness="max(timestamp(silent))", now=now)
    assert isinstance(found, Stale)
    assert found.value == 5
    assert 110 < found.age_seconds < 160
