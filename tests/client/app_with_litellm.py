"""An app that calls its models through LiteLLM: `app_with_litellm.py BILLING_URL KEY PROVIDER_URL`.
Run in a process of its own, with LiteLLM's own requirements."""

import asyncio
import sys

import litellm
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from credyt_mcp.client import Credyt, litellm_callback

billing_url, key, provider_url = sys.argv[1:]
litellm.callbacks = [litellm_callback(Credyt(billing_url, key), "answer")]
CALL = {
    "model": "openai/gpt-5",
    "api_base": f"{provider_url}/v1",
    "api_key": "x",
    "messages": [{"role": "user", "content": "hello"}],
    "metadata": {"customer": "jane", "user_id": "ann"},
}


async def later() -> None:
    await litellm.acompletion(**CALL)
    # LiteLLM reports beside the answer, which this app does not live to see.
    await GLOBAL_LOGGING_WORKER.flush()


litellm.completion(**CALL)
for _ in litellm.completion(**CALL, stream=True, stream_options={"include_usage": True}):
    pass
asyncio.run(later())
