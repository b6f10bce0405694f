"""Flipt's client: a threshold rollout, the override as a rollout of a segment. Its engine reads them once from a loopback server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version as installed

from flipt_client import FliptClient
from flipt_client.models import ClientOptions


def version():
    return installed("flipt-client")


def prepare(flags, folder):
    constraint = {
        "id": "1",
        "type": "ENTITY_ID_CONSTRAINT_COMPARISON_TYPE",
        "property": "entity",
        "operator": "eq",
        "value": "tenant-0007",
    }
    segment = {"key": "one", "name": "one", "matchType": "ALL_SEGMENT_MATCH_TYPE", "constraints": [constraint]}
    rollouts = [
        {
            "type": "SEGMENT_ROLLOUT_TYPE",
            "rank": 1,
            "segment": {"value": True, "segmentOperator": "OR_SEGMENT_OPERATOR", "segments": [segment]},
        },
        {"type": "THRESHOLD_ROLLOUT_TYPE", "rank": 2, "threshold": {"percentage": 10.0, "value": True}},
    ]
    listed = [
        {
            "key": f"team.flag_{number:05}",
            "name": "",
            "type": "BOOLEAN_FLAG_TYPE",
            "enabled": False,
            "rules": [],
            "rollouts": rollouts,
        }
        for number in range(flags)
    ]
    body = json.dumps({"namespace": {"key": "default", "name": ""}, "flags": listed}).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def load(url):
    return FliptClient(ClientOptions(url=url, environment="default", namespace="default", update_interval=10**5))


def asker(client):
    ask = client.evaluate_boolean
    return lambda flag, tenant: ask(flag, tenant, {}).enabled


def close(client):
    client.close()
