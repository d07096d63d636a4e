#!/usr/bin/env node
// An interval keeps the event loop alive after the end of the input.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

const server = new McpServer({ name: "timer", version: "1.0.0" });
server.registerTool("now", { description: "the time" }, async () => ({ content: [{ type: "text", text: "now" }] }));
setInterval(() => {}, 1000);
await server.connect(new StdioServerTransport());
