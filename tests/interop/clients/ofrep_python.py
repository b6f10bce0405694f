"""PyPI's openfeature-provider-ofrep. What the server can't say would be on here: its code's default is true."""

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from talk import serve, settings

given = settings()
api.set_provider(
    OFREPProvider(given["url"], headers_factory=lambda: {"Authorization": f"Bearer {given['key']}"}, timeout=10)
)
client = api.get_client()


def ask(flag, tenant):
    details = client.get_boolean_details(flag, True, EvaluationContext(tenant))
    if details.error_code is not None:
        raise SystemExit(f"{flag}: {details.error_code} {details.error_message}")
    return details.value


serve(ask)
