// Every fact about the server, with the npm client as it is: prints {name: "ok" or what failed}.
const assert = require("assert").strict;
const { io } = require("socket.io-client");

const url = process.argv[2];
const facts = {};
const open = [];

function connect(options = {}, namespace = "") {
  const socket = io(url + namespace, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 40, ...options });
  open.push(socket);
  return socket;
}

function next(socket, event) {
  return new Promise((resolve) => socket.once(event, (...all) => resolve(all)));
}

async function connected(options, namespace) {
  const socket = connect(options, namespace);
  await next(socket, "connect");
  return socket;
}

function gathered(socket, event, count) {
  const all = [];
  return new Promise((resolve) => {
    socket.on(event, (first) => {
      all.push(first);
      if (all.length === count) resolve(all);
    });
  });
}

async function until(ask, wanted) {
  for (;;) {
    const got = await ask();
    if (JSON.stringify(got) === JSON.stringify(wanted)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const HARD = ["señal ☃ 🐍 \u001e \u2028", { a: [null, true, -1.5, { b: "" }] }, [], "\ud83d"];
const READ = [...HARD.slice(0, 3), "\ufffd"];

for (const transport of ["polling", "websocket"]) {
  facts[`${transport} alone carries events, acknowledgements and bytes both ways`] = async () => {
    const socket = connect({ transports: [transport], auth: { name: "n" } });
    const [auth, used] = await next(socket, "hello");
    assert.deepEqual([auth, used], [{ name: "n" }, transport]);
    socket.emit("echo", ...HARD);
    assert.deepEqual((await next(socket, "echoed")).slice(0, 4), READ);
    const bytes = Buffer.from([0, 1, 30, 255]);
    assert.deepEqual(await socket.emitWithAck("ack", { deep: [bytes] }), { deep: [bytes] });
    assert.deepEqual((await socket.emitWithAck("ack", Buffer.alloc(0))).length, 0);
    const large = Buffer.alloc(600000, 7);
    assert.ok(large.equals(await socket.emitWithAck("ack", large)));
    assert.equal(socket.io.engine.transport.name, transport);
  };
  facts[`${transport}: what is sent before the connection is there arrives in order`] = async () => {
    const socket = connect({ transports: [transport] });
    const count = 400; // more packets than fit into any one payload of other servers
    for (let i = 0; i < count; i++) socket.emit("echo", i);
    const got = await gathered(socket, "echoed", count);
    assert.deepEqual(got, [...Array(count).keys()]);
  };
}

facts["an upgrade loses nothing and changes no order"] = async () => {
  const socket = connect();
  const got = gathered(socket, "echoed", 300);
  await next(socket, "connect");
  for (let i = 0; i < 300; i++) {
    socket.emit("echo", i);
    if (i % 30 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.deepEqual(await got, [...Array(300).keys()]);
  await until(() => socket.io.engine.transport.name, "websocket");
  assert.deepEqual(await socket.emitWithAck("ack", 1), 1);
};

facts["a client acknowledges, or the server's time for it is over"] = async () => {
  const socket = await connected();
  socket.on("question", (first, answer) => first === "mute" || answer(first, Buffer.from("b")));
  assert.deepEqual(await socket.emitWithAck("ask", 5, 1), ["answered", [1, Buffer.from("b")]]);
  const late = await socket.emitWithAck("ask", 0.02, "mute");
  assert.deepEqual(late, ["failed", "no acknowledgement in 0.02 seconds"]);
};

facts["a client's time for an acknowledgement is over, and no arguments are none"] = async () => {
  const socket = await connected();
  await assert.rejects(socket.timeout(30).emitWithAck("never"), /timed out/);
  assert.equal(await socket.emitWithAck("ack"), undefined);
};

facts["namespaces are apart, and leaving one leaves the other"] = async () => {
  const main = await connected({ transports: ["websocket"] });
  const custom = main.io.socket("/custom", { auth: { name: "c" } });
  open.push(custom);
  custom.open();
  await next(custom, "connect");
  assert.notEqual(main.id, custom.id);
  let heard = 0;
  main.on("said", () => heard++);
  const said = next(custom, "said");
  custom.emit("say", [], [], "only here");
  assert.equal((await said)[0], "only here");
  custom.disconnect();
  assert.equal(await main.emitWithAck("ack", 2), 2);
  assert.equal(heard, 0);
  const [error] = await next(connect({}, "/unknown"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
};

facts["a refused client is told why, and a bug says nothing of itself"] = async () => {
  const [refused] = await next(connect({ auth: { refuse: [1] } }), "connect_error");
  assert.deepEqual([refused.message, refused.data], ["not you", { why: [1] }]);
  const [badly] = await next(connect({ auth: { "refuse badly": 1 } }), "connect_error");
  assert.deepEqual([badly.message, badly.data], ["not you", undefined]);
  const [bug] = await next(connect({ auth: { bug: 1 } }), "connect_error");
  assert.equal(bug.message, "Internal error");
};

facts["a connect handler may take its time, and what it sends comes after it"] = async () => {
  const socket = connect({ auth: { late: 1 } });
  const order = [];
  socket.on("connect", () => order.push("connect"));
  socket.on("hello", () => order.push("hello"));
  await next(socket, "hello");
  assert.deepEqual(order, ["connect", "hello"]);
};

facts["who is disconnected by its connect handler has what that has sent"] = async () => {
  const socket = connect({ auth: { leave: 1 } });
  const order = [];
  socket.on("connect", () => order.push("connect"));
  socket.on("hello", () => order.push("hello"));
  assert.equal((await next(socket, "disconnect"))[0], "io server disconnect");
  assert.deepEqual(order, ["connect", "hello"]);
};

facts["rooms: who is in several is told once, and who is excepted not at all"] = async () => {
  const [a, b, c] = await Promise.all([connected(), connected({ transports: ["polling"] }), connected()]);
  const heard = [[], [], []];
  [a, b, c].forEach((socket, i) => socket.on("said", (text) => heard[i].push(text)));
  assert.deepEqual(await a.emitWithAck("join", "r1", "r2"), ["r1", "r2"]);
  await b.emitWithAck("join", "r2");
  assert.equal(await c.emitWithAck("say", ["r1", "r2"], [], "both"), 2);
  assert.equal(await c.emitWithAck("say", ["r1", "r2"], [b.id], "a only"), 1);
  a.emit("others", "r2", Buffer.from("b only"));
  a.emit("leave", "r1");
  assert.equal(await a.emitWithAck("say", ["r1"], [], "nobody"), 0);
  await until(() => heard[1].length, 2);
  assert.deepEqual(heard, [["both", "a only"], ["both", Buffer.from("b only")], []]);
};

facts["an event without a handler goes to the one for all"] = async () => {
  const socket = await connected();
  assert.deepEqual(await socket.emitWithAck("unheard", 1), ["any", "unheard", 1]);
  assert.deepEqual(await socket.emitWithAck("*", 1), ["any", "*", 1]);
};

facts["a handler's fault touches nobody"] = async () => {
  const socket = await connected();
  socket.emit("raise");
  socket.emit("leave"); // one argument less than its handler takes
  assert.equal(await socket.emitWithAck("ack", 3), 3);
};

facts["who left is told to the server, and who was left to the client"] = async () => {
  const watch = await connected();
  const ends = {
    "client namespace disconnect": (socket) => socket.disconnect(),
    "server namespace disconnect": (socket) => socket.emit("leave-me", false),
    "forced server close": (socket) => socket.emit("leave-me", true),
    "transport close": (socket) => socket.io.engine.close(),
  };
  const seen = {};
  await Promise.all(
    ["polling", "websocket"].flatMap((transport) =>
      Object.entries(ends).map(async ([reason, end]) => {
        const name = `${transport} ${reason}`;
        const options = { transports: [transport], auth: { name }, reconnection: false };
        const socket = await connected(options);
        const over = next(socket, "disconnect");
        end(socket);
        seen[name] = (await over)[0];
        await until(() => watch.emitWithAck("told", name), [reason]);
      })
    )
  );
  for (const transport of ["polling", "websocket"]) {
    assert.equal(seen[`${transport} client namespace disconnect`], "io client disconnect");
    assert.equal(seen[`${transport} server namespace disconnect`], "io server disconnect");
    assert.equal(seen[`${transport} forced server close`], "transport close");
  }
};

facts["a lost client comes back to its state, and is sent exactly what it missed"] = async () => {
  const [lost, other] = await Promise.all([connected({ transports: ["websocket"], auth: { name: "lost" } }), connected()]);
  const heard = [];
  lost.on("said", (text) => heard.push(text));
  await other.emitWithAck("say", ["r"], [], "before it was in");
  await lost.emitWithAck("join", "recovery", "shared");
  await other.emitWithAck("say", ["recovery"], [], "before");
  const { id } = lost;
  const over = next(lost, "disconnect");
  lost.io.reconnection(false);
  lost.io.engine.transport.ws.terminate();
  await over;
  await other.emitWithAck("say", ["recovery"], [], "missed 1");
  await other.emitWithAck("say", ["elsewhere"], [], "not for it");
  await other.emitWithAck("say", [id], [], Buffer.from("missed 2"));
  await other.emitWithAck("say", ["shared"], ["recovery"], "not for it");
  lost.io.reconnection(true);
  lost.connect();
  await next(lost, "connect");
  assert.deepEqual([lost.recovered, lost.id], [true, id]);
  await other.emitWithAck("say", ["recovery"], [], "after");
  await until(() => heard.length, 4);
  assert.deepEqual(heard, ["before", "missed 1", Buffer.from("missed 2"), "after"]);
};

facts["a client that was not missed yet takes its state over"] = async () => {
  const lost = await connected({ transports: ["websocket"] });
  await lost.emitWithAck("join", "takeover");
  const { id } = lost;
  const dead = lost.io.engine.transport.ws;
  dead._socket.pause(); // its end is not seen by the server
  lost.io.engine.transport.ws.close = () => {};
  lost.io.engine.transport.onClose();
  await next(lost, "connect");
  assert.deepEqual([lost.recovered, lost.id], [true, id]);
  dead.terminate();
};

async function main() {
  const results = {};
  await Promise.all(
    Object.entries(facts).map(async ([name, fact]) => {
      const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 20000));
      results[name] = await Promise.race([fact(), late]).then(
        () => "ok",
        (error) => `${error.stack}`
      );
    })
  );
  console.log(JSON.stringify(results));
  process.exit(0);
}

if (url) main();
else console.log(JSON.stringify(Object.keys(facts)));
