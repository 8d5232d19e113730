// Greets, shows the server's greeting, and leaves: node client.js [URL]
const { io } = require("socket.io-client");

const socket = io(process.argv[2] || "http://localhost:8080");

socket.on("connect", () => {
  socket.emit("mensajeClientePersonalizado", "Hola, servidor", (answer) => {
    console.log(answer);
    socket.disconnect();
  });
});

socket.on("mensajeServidorPersonalizado", (text) => console.log(text));
socket.on("connect_error", (error) => {
  console.error(error.message);
  process.exit(1);
});
