"""``serve``."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation
from flagconsole.cli.parameters import FILE

if TYPE_CHECKING:
    from flagconsole.rollout.anchoring import Anchors
    from flagconsole.server.serving import Demand


@contextmanager
def _without_collector() -> Iterator[None]:
    """Until it listens (``run`` lets the collector work then) hardly anything that is made is garbage, and to find that out again and again
    takes a fifth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--store", metavar="URL", help="The store, such as sqlite:flags.db or postgresql://… [the embedded one].")
@click.option(
    "--listen-url",
    envvar="FLAGCONSOLE_LISTEN_URL",
    metavar="URL",
    help="A direct way to the database where --store leads through a pooler (or FLAGCONSOLE_LISTEN_URL).",
)
@click.option(
    "--environment",
    metavar="NAME",
    help="Serve this environment only [all]; in a store without names, what consoles show: production …",
)
@click.option(
    "--require-versions",
    is_flag=False,
    flag_value="",
    metavar="[NAMES]",
    help="Refuse changes that raise exposure without If-Match, everywhere or in these environments (a,b).",
)
@click.option(
    "--require-approvals",
    is_flag=False,
    flag_value="",
    metavar="[NAMES]",
    help="Ask for a second person for what raises exposure, everywhere or in these environments (a,b).",
)
@click.option(
    "--response",
    "responses",
    multiple=True,
    metavar="[NAME=]FILE",
    help="What playbooks may reach: destinations, programs, endpoints (TOML); in the first environment, or the named one.",
)
@click.option(
    "--playbooks",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Playbooks that replace those that ship (*.yaml).",
)
@click.option(
    "--keep-metrics",
    type=click.FloatRange(7, 3660),
    default=90,
    show_default=True,
    metavar="DAYS",
    help="Delete measurements that are older.",
)
@click.option(
    "--prometheus",
    multiple=True,
    envvar="FLAGCONSOLE_PROMETHEUS",
    metavar="[NAME=]URL",
    help="Where plans with queries of their own have them asked (or FLAGCONSOLE_PROMETHEUS); likewise.",
)
@click.option("--prometheus-in-clear", is_flag=True, help="Also over the network without TLS.")
@click.option("--prometheus-private", is_flag=True, help="Also where its name leads to a private address.")
@click.option(
    "--anchor", type=FILE, metavar="FILE|URL", help="Keep the audit log's signed head there (FLAGCONSOLE_ANCHOR_KEY)."
)
@click.option("--anchor-every", default="1h", show_default=True, metavar="DURATION", help="How often.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    help="Bound what clients may ask otherwise, such as rate=5000 (docs/reference/settings.md has all).",
)
@click.option("--end-with-stdin", is_flag=True, hidden=True, help="End when standard input ends.")
@click.pass_obj
@_without_collector()
def serve(
    invocation: Invocation,
    host: str,
    port: int,
    store: str | None,
    listen_url: str | None,
    environment: str | None,
    require_versions: str | None,
    require_approvals: str | None,
    responses: tuple[str, ...],
    playbooks: Path | None,
    keep_metrics: float,
    prometheus: tuple[str, ...],
    prometheus_in_clear: bool,
    prometheus_private: bool,
    anchor: str | None,
    anchor_every: str,
    limits: tuple[str, ...],
    end_with_stdin: bool,
) -> None:
    """Serve the environments of a store over HTTP until interrupted. Says on standard error where it listens."""
    from flagconsole.cli.target import resolve_store
    from flagconsole.domain.retention import Retention
    from flagconsole.domain.store_environment import UNNAMED
    from flagconsole.rollout.playbook_file import playbook_files, read_playbooks
    from flagconsole.rollout.prometheus_source import PrometheusSource, prometheus_url
    from flagconsole.rollout.response import read_response
    from flagconsole.server.bounds import bounds_of
    from flagconsole.server.run import serve as run_server
    from flagconsole.server.serving import Serving

    serving = Serving(
        listen_url=listen_url,
        environment=environment,
        requires_versions=_demand(require_versions),
        requires_approvals=_demand(require_approvals),
        responses={
            name: read_response(Path(file), environment=name or UNNAMED)
            for name, file in _by_name(responses, "response").items()
        },
        playbooks=None if playbooks is None else read_playbooks(playbook_files(playbooks)),
        retention=Retention(keep_days=keep_metrics),
        prometheus={
            name: partial(
                PrometheusSource,
                prometheus_url(url, in_clear=prometheus_in_clear),
                in_clear=prometheus_in_clear,
                private=prometheus_private,
            )
            for name, url in _by_name(prometheus, "prometheus").items()
        },
        anchors=None if anchor is None else _anchors(anchor, anchor_every),
        bounds=bounds_of(limits) if limits else None,
    )
    run_server(resolve_store(store or invocation.store), host, port, serving, end_with_stdin=end_with_stdin)


def _demand(names: str | None) -> Demand:
    from flagconsole.domain.store_environment import checked_environment
    from flagconsole.server.serving import Demand

    if not names:
        return Demand(everywhere=names is not None)
    return Demand(names=frozenset(checked_environment(name.strip()) for name in names.split(",")))


def _by_name(values: tuple[str, ...], option: str) -> dict[str, str]:
    """Values by the environment that they are for; without a name, the first one's."""
    from flagconsole.domain.errors import InvalidInput
    from flagconsole.domain.store_environment import is_environment_name

    found: dict[str, str] = {}
    for value in values:
        before, equals, after = value.partition("=")
        name, meant = (before, after) if equals and is_environment_name(before) else ("", value)
        if name in found:
            raise InvalidInput(field=option, problem="is given twice for one environment", value=name or value[:200])
        found[name] = meant
    return found


def _anchors(place: str, every: str) -> Anchors:
    from urllib.parse import urlsplit

    from flagconsole.domain.anchor import KEY_VARIABLE, anchor_key
    from flagconsole.domain.duration import parse_duration
    from flagconsole.domain.errors import InvalidInput
    from flagconsole.rollout.anchoring import Anchors

    if "@" in urlsplit(place).netloc:
        raise InvalidInput(
            field="anchor", problem="must not hold a user or password", value=f"{urlsplit(place).scheme}://…"
        )
    return Anchors(
        place,
        parse_duration(every, "anchor-every", least=10, most=86_400),
        anchor_key(os.environ.get(KEY_VARIABLE)),
    )
