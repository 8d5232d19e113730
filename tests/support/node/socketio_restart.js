// Two clients that stay, one on each transport; prints what they see, a line each.
const { io } = require("socket.io-client");

for (const transport of ["polling", "websocket"]) {
  const socket = io(process.argv[2], { transports: [transport], reconnectionDelay: 20, reconnectionDelayMax: 50 });
  socket.on("connect", async () => {
    console.log(transport, "connect", await socket.emitWithAck("ack", "there"));
  });
  socket.on("disconnect", (reason) => console.log(transport, "disconnect", reason));
}
