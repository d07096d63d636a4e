// Deaf to signals, with a port beside its stdio.
import http from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => {});
const server = new McpServer({ name: "listener", version: "1.0.0" });
http.createServer((_, reply) => reply.write("kept open\n")).listen(Number(process.argv[2]), "127.0.0.1");
await server.connect(new StdioServerTransport());
