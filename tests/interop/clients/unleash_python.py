"""PyPI's UnleashClient, polling or streaming."""

import tempfile
import threading

from talk import serve, settings
from UnleashClient import UnleashClient
from UnleashClient.events import UnleashEventType

given = settings()
fetched = threading.Event()


def happened(event):
    if event.event_type in (UnleashEventType.READY, UnleashEventType.FETCHED):
        fetched.set()


with tempfile.TemporaryDirectory() as folder:
    client = UnleashClient(
        f"{given['url']}/api",
        "billing",
        instance_id="billing-1",
        refresh_interval=1,
        metrics_interval=given["metrics_seconds"],
        cache_directory=folder,
        custom_headers={"Authorization": given["key"]},
        experimental_mode={"type": given["mode"]},
        event_callback=happened,
    )
    client.initialize_client()
    if not fetched.wait(20):
        raise SystemExit("no features")
    serve(lambda flag, tenant: client.is_enabled(flag, {"properties": {"tenantId": tenant}}))
    client.destroy()
