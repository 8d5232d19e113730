// A person by Socket.IO: node socketio_chat.js ADDRESS NICK ROOM; standard input is said, what is
// heard is printed.
const { io } = require("socket.io-client");

const [address, nick, room] = process.argv.slice(2);
const socket = io(address);

socket.on("connect", async () => {
  await socket.emitWithAck("hello", { version: 1, nick });
  await socket.emitWithAck("join", { room });
  console.log("in");
});
socket.on("message", ({ nick: who, text }) => console.log(`${who}: ${text}`));
process.stdin.on("data", (text) => socket.emit("say", { room, text: `${text}`.trim() }));
