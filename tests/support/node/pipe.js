// Standard input to the server, what comes back to standard output, until both have ended.
// node pipe.js PORT half|whole
const net = require("net");

const [port, halves] = process.argv.slice(2);
const socket = net.connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: halves === "half" });
process.stdin.on("data", (chunk) => socket.write(chunk));
process.stdin.on("end", () => socket.end());
socket.on("data", (chunk) => process.stdout.write(chunk));
socket.on("error", (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
