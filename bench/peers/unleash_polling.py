"""UnleashClients that poll, several in one process, asked by lines of JSON: ``watch`` a flag, then when each found it off (``off``).

``python unleash_polling.py URL TOKEN SECONDS COUNT``: they begin spread over their interval, as a fleet does.
"""

import json
import sys
import tempfile
import threading
import time
import warnings

from UnleashClient import UnleashClient

warnings.simplefilter("ignore")


def started(url, token, seconds, number, folder):
    """One client, once it has its flags."""
    client = UnleashClient(
        f"{url}/api",
        "bench",
        instance_id=f"bench-{number}",
        refresh_interval=seconds,
        refresh_jitter=None,
        disable_metrics=True,
        disable_registration=True,
        cache_directory=f"{folder}/{number}",
        custom_headers={"Authorization": token},
    )
    client.initialize_client()
    return client


def off_at(client, flag, found, number):
    while client.is_enabled(flag, {"properties": {"tenantId": "tenant-0001"}}):
        time.sleep(0.002)
    found[number] = time.monotonic()


def main():
    url, token, seconds, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with tempfile.TemporaryDirectory() as folder:
        clients = []
        for number in range(count):
            clients.append(started(url, token, seconds, number, folder))
            time.sleep(seconds / count)
        for line in sys.stdin:
            asked = json.loads(line)
            context = {"properties": {"tenantId": "tenant-0001"}}
            if asked["do"] == "watch":
                flag = asked["flag"]
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline and not all(one.is_enabled(flag, context) for one in clients):
                    time.sleep(0.05)
                print(json.dumps({"on": sum(one.is_enabled(flag, context) for one in clients)}), flush=True)
                found = [None] * count
                threads = [
                    threading.Thread(target=off_at, args=(client, flag, found, number), daemon=True)
                    for number, client in enumerate(clients)
                ]
                for thread in threads:
                    thread.start()
            elif asked["do"] == "killed":
                for thread in threads:
                    thread.join(90)
                print(json.dumps({"at": found}), flush=True)
            else:
                print(json.dumps({"settled": count}), flush=True)


if __name__ == "__main__":
    main()
