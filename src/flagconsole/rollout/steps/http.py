"""``http``: call a configured address, signed and with a key that makes a repeated call harmless to those who know it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.playbook_run import StepStatus
from flagconsole.domain.text import safe_text
from flagconsole.rollout.response import secret_of
from flagconsole.rollout.signature import signed_headers
from flagconsole.rollout.steps.scene import Result, Scene

if TYPE_CHECKING:
    import httpx


def http_off(scene: Scene) -> str | None:
    """Why the step is switched off: nobody has configured its address."""
    name = scene.step.endpoint
    return None if name in scene.response.endpoints else f"switched off: the endpoint {name} is not configured"


async def http(scene: Scene, connection: httpx.AsyncClient) -> Result:
    """Call it. A status of 2xx is done, another one failed; where no answer came, nobody knows."""
    from httpx import ConnectError, ConnectTimeout, HTTPError, PoolTimeout

    endpoint = scene.response.endpoints[scene.step.endpoint or ""]
    key = f"{scene.run.run_id}:{scene.step.name}"
    body = json.dumps(
        {
            "incident_id": scene.run.incident_id,
            "flag": scene.run.flag_name,
            "playbook": scene.run.playbook,
            "step": scene.step.name,
            "environment": scene.response.environment,
            "reason": safe_text(scene.run.reason),
        }
    ).encode()
    try:
        secret = secret_of(endpoint.secret_env)
    except InvalidInput as error:
        return Result(StepStatus.FAILED, str(error))
    headers = signed_headers(secret, int(scene.now.timestamp()), body, key) | {"Idempotency-Key": key}
    try:
        answer = await connection.request(
            scene.step.method, endpoint.url, content=body, headers=headers, timeout=scene.step.timeout_seconds
        )
    except (ConnectError, ConnectTimeout, PoolTimeout) as error:
        return Result(StepStatus.FAILED, f"it could not be reached: {safe_text(error, 200)}")
    except HTTPError as error:
        return Result(StepStatus.UNCERTAIN, f"sent, but no answer came: {safe_text(error, 200)}")
    if not answer.is_success:
        return Result(StepStatus.FAILED, f"HTTP status {answer.status_code}")
    return Result(StepStatus.DONE, f"HTTP status {answer.status_code}")
