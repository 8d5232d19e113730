// A person in the chat by Socket.IO, over one transport: what it hears is printed as JSON lines.
"use strict";
const { io } = require("socket.io-client");

const [address, transport] = process.argv.slice(2);
const transports = transport === "upgrade" ? ["polling", "websocket"] : [transport];
const socket = io(address, { transports, reconnection: false });
const show = (name, ...words) => console.log(JSON.stringify([name, ...words]));

process.on("SIGTERM", () => socket.disconnect());
socket.onAny((name, found) => show(name, found));
socket.on("disconnect", (reason) => show("disconnect", reason));
socket.on("connect_error", (error) => show("connect_error", error.message));
socket.on("greeting", async (greeting) => {
  const ask = (name, fields) => socket.timeout(20000).emitWithAck(name, fields);
  const nick = `by-${transport}`;
  show("hello", await ask("hello", { version: greeting.version, nick }));
  show("join", await ask("join", { room: greeting.lobby }));
  show("say", await ask("say", { room: "lobby", text: `hello by ${transport}` }));
  show("wrong", await ask("say", "no object"));
});
