// client.mjs WHAT N -- COMMAND... [-- COMMAND...]   WHAT: hold | close
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [what, count] = process.argv.slice(2);
const commands = [];
for (const word of process.argv.slice(4)) word === "--" ? commands.push([]) : commands.at(-1).push(word);
const clients = [];
for (let at = 0; at < Number(count); at++) {
  for (const [command, ...args] of commands) {
    const client = new Client({ name: "zoo", version: "1.0.0" });
    await client.connect(new StdioClientTransport({ command, args, env: process.env }));
    clients.push(client);
  }
}
console.log("READY");
if (what === "close") {
  for (const client of clients) await client.close();
  console.log("CLOSED");
}
setInterval(() => {}, 1000);
