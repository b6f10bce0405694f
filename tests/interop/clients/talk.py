"""What every Python client here answers: a line of JSON for each line of JSON that it is asked."""

import json
import sys
import time


def serve(ask):
    """Answer until the input ends. ``ask(flag, tenant)`` says whether the client finds the flag on for the tenant."""
    say(ready=True)
    for line in sys.stdin:
        question = json.loads(line)
        if question["do"] == "answers":
            say(answers={flag: [ask(flag, tenant) for tenant in question["tenants"]] for flag in question["flags"]})
        elif question["do"] == "until_off":
            flag, tenant = question["flag"], question["tenant"]
            say(on=ask(flag, tenant))
            while ask(flag, tenant):
                time.sleep(0.0005)
            say(off_at=time.time())


def say(**what):
    """One line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def settings():
    """What the client was started with."""
    return json.loads(sys.argv[1])
