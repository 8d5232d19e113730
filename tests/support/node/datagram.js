// Two datagrams, one of several buffers and one through a connected socket; each answer is
// shown as JSON.
// node datagram.js PORT
const dgram = require("dgram");

const port = Number(process.argv[2]);
const show = (message, from) =>
  console.log(JSON.stringify({ text: message.toString(), from: from.port }));

const several = dgram.createSocket("udp4");
several.on("message", (message, from) => {
  show(message, from);
  several.close();
  const connected = dgram.createSocket("udp6");
  connected.on("message", (answer, peer) => {
    show(answer, peer);
    connected.close();
  });
  connected.connect(port, "::1", () => connected.send("to one peer only"));
});
several.send([Buffer.from("one "), Buffer.from("datagram of "), Buffer.from("three")], port);
