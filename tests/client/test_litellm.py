"""LiteLLM itself reports its calls to us. It pins versions of its own, so it lives in a folder."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import World, until_recorded
from tests.client.test_metered_sdks import CHAT, settled
from tests.conftest import API_KEY, Call

ROOT = Path(__file__).parents[2]
APP = Path(__file__).with_name("app_with_litellm.py")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("litellm")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder))
    subprocess.run([*pip, "litellm", "anyio", "httpx"], check=True, capture_output=True)
    return folder


@pytest.mark.slow
async def test_litellms_calls_are_billed_and_their_costs_known(
    call: Call, world: World, packages: Path
) -> None:
    app = await asyncio.create_subprocess_exec(
        sys.executable,
        str(APP),
        world.billing_url,
        API_KEY,
        world.provider_url,
        env={
            **os.environ,
            "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch one
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await app.communicate()
    assert app.returncode == 0, said.decode()
    await until_recorded(call, 3)
    await settled(call, CHAT, CHAT, CHAT)
