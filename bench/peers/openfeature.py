"""OpenFeature's client with its provider in memory: a static flag, which is the least that any provider does."""

from importlib.metadata import version as installed

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider


def version():
    return installed("openfeature-sdk")


def prepare(flags, folder):
    return flags


def load(flags):
    known = {f"team.flag_{number:05}": InMemoryFlag("off", {"on": True, "off": False}) for number in range(flags)}
    domain = f"bench-{flags}"
    api.set_provider(InMemoryProvider(known), domain)
    return api.get_client(domain)


def asker(client):
    ask = client.get_boolean_value
    return lambda flag, tenant: ask(flag, False, EvaluationContext(tenant))
