"""A zoo of real MCP servers, clients, and what is easily mistaken for them: what `procs` is measured on."""
