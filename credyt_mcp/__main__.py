"""`python -m credyt_mcp` is the same command as `credyt-mcp`."""

from credyt_mcp.cli import main

main()
