// Shows each message of a watch server that speaks JSON lines.
// node watch.js PORT
const net = require("net");

let rest = "";
net.connect(Number(process.argv[2]), "127.0.0.1").on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const message = JSON.parse(line);
    if (message.type === "watching") console.log(`Now watching: ${message.file}`);
    else if (message.type === "changed")
      console.log(`File changed: ${message.change} ${new Date(message.timestamp).toISOString()}`);
    else throw Error(`unrecognized message type: ${message.type}`);
  }
});
