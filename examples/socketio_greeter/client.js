// Shows the server's greeting, greets it, and leaves: node client.js [URL]
const { io } = require("socket.io-client");

const socket = io(process.argv[2] || "http://localhost:8080");

socket.on("mensajeClientePersonalizado", (text) => {
  console.log(text);
  socket.emit("mensajeServidorPersonalizado", "Hola, servidor", (answer) => {
    console.log(answer);
    socket.emit("mensajeClientePersonalizado", "para mí");
  });
});

socket.on("mensajeServidorPersonalizado", (text) => {
  console.log(text);
  socket.disconnect();
});

socket.on("connect_error", (error) => {
  console.error(error.message);
  process.exit(1);
});
