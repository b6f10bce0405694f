"""For services on ASGI (FastAPI, Starlette): a route that a flag guards is one line."""

from flagconsole.sdk.asgi.gate import FlagGate
from flagconsole.sdk.asgi.refusal import FeatureDisabled, Refused, TenantRequired
from flagconsole.sdk.asgi.requirement import Requirement, request_mode

__all__ = ["FeatureDisabled", "FlagGate", "Refused", "Requirement", "TenantRequired", "request_mode"]
