// Sends the numbers, and shows each sum that comes back on a line of its own.
// node accumulate.js PORT NUMBER…
const net = require("net");

const [port, ...numbers] = process.argv.slice(2).map(Number);
const socket = net.connect(port, "127.0.0.1");
for (const number of numbers) {
  const integer = Buffer.alloc(4);
  integer.writeInt32LE(number);
  socket.write(integer);
}
let rest = Buffer.alloc(0);
socket.on("data", (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  for (; rest.length >= 4; rest = rest.subarray(4)) console.log(rest.readInt32LE());
});
