"""All model calls that are worked out by hand."""

from __future__ import annotations

from tests.llm.anthropic_calls import ANTHROPIC
from tests.llm.google_calls import GOOGLE
from tests.llm.openai_calls import OPENAI
from tests.llm.other_calls import OTHERS

CALLS = [*OPENAI, *ANTHROPIC, *GOOGLE, *OTHERS]
