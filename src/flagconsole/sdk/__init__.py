"""What services import: ``FlagClient`` evaluates flags in process and follows the server in the background."""

from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.states import FlagState
from flagconsole.sdk.flag_client import FlagClient
from flagconsole.sdk.listeners import Update
from flagconsole.sdk.mode import Mode
from flagconsole.sdk.operation import Operation, current_operation
from flagconsole.sdk.status import ClientStatus, Counters, Health

__all__ = [
    "ClientStatus",
    "Counters",
    "Evaluation",
    "FlagClient",
    "FlagState",
    "Health",
    "Mode",
    "Operation",
    "Reason",
    "Update",
    "current_operation",
]
