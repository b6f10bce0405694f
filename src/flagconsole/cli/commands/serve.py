"""``serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation

if TYPE_CHECKING:
    from flagconsole.rollout.anchoring import Anchors


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
@click.option("--environment", default="local", show_default=True, help="What consoles show: production, staging …")
@click.option("--require-versions", is_flag=True, help="Refuse changes that raise exposure without If-Match.")
@click.option("--require-approvals", is_flag=True, help="Ask for a second person for what raises exposure.")
@click.option(
    "--response",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What playbooks may reach: destinations, programs, endpoints (TOML).",
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
    envvar="FLAGCONSOLE_PROMETHEUS",
    metavar="URL",
    help="Where plans with queries of their own have them asked (or FLAGCONSOLE_PROMETHEUS).",
)
@click.option("--prometheus-in-clear", is_flag=True, help="Also over the network without TLS.")
@click.option("--prometheus-private", is_flag=True, help="Also where its name leads to a private address.")
@click.option("--anchor", metavar="FILE|URL", help="Keep the audit log's signed head there (FLAGCONSOLE_ANCHOR_KEY).")
@click.option("--anchor-every", default="1h", show_default=True, metavar="DURATION", help="How often.")
@click.option("--end-with-stdin", is_flag=True, hidden=True, help="End when standard input ends.")
@click.pass_obj
def serve(
    invocation: Invocation,
    host: str,
    port: int,
    store: str | None,
    listen_url: str | None,
    environment: str,
    require_versions: bool,
    require_approvals: bool,
    response: Path | None,
    playbooks: Path | None,
    keep_metrics: float,
    prometheus: str | None,
    prometheus_in_clear: bool,
    prometheus_private: bool,
    anchor: str | None,
    anchor_every: str,
    end_with_stdin: bool,
) -> None:
    """Serve a store over HTTP until interrupted. Says on standard error where it listens."""
    from flagconsole.cli.target import resolve_store
    from flagconsole.domain.retention import Retention
    from flagconsole.rollout.playbook_file import playbook_files, read_playbooks
    from flagconsole.rollout.prometheus_source import PrometheusSource
    from flagconsole.rollout.response import read_response
    from flagconsole.server.run import serve as run_server

    run_server(
        resolve_store(store or invocation.store),
        host,
        port,
        listen_url=listen_url,
        environment=environment,
        requires_versions=require_versions,
        requires_approvals=require_approvals,
        end_with_stdin=end_with_stdin,
        response=None if response is None else read_response(response, environment=environment),
        playbooks=None if playbooks is None else read_playbooks(playbook_files(playbooks)),
        retention=Retention(keep_days=keep_metrics),
        prometheus=None
        if prometheus is None
        else PrometheusSource(prometheus, in_clear=prometheus_in_clear, private=prometheus_private),
        anchors=None if anchor is None else _anchors(anchor, anchor_every),
    )


def _anchors(place: str, every: str) -> Anchors:
    from flagconsole.domain.anchor import KEY_VARIABLE, anchor_key
    from flagconsole.domain.duration import parse_duration
    from flagconsole.rollout.anchoring import Anchors

    return Anchors(
        place,
        parse_duration(every, "anchor-every", least=10, most=86_400),
        anchor_key(os.environ.get(KEY_VARIABLE)),
    )
