// Survives every error, and goes on writing to nobody.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

process.on("uncaughtException", () => {});
const server = new McpServer({ name: "guard", version: "1.0.0" });
setInterval(() => process.stdout.write("\n"), 500);
await server.connect(new StdioServerTransport());
