"""An MCP server over streamable HTTP."""
