// The same services in plain Node, with nothing but its built-in modules.
//
//     node node_server.js SERVICE [--cert FILE --key FILE] [--file FILE]
//
// Prints `listening PORT`.
'use strict';

const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');

const [service, ...words] = process.argv.slice(2);
const option = (name) => words[words.indexOf(`--${name}`) + 1];

const ready = (server) => () => console.log(`listening ${server.address().port}`);

function serve(server) {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, ready(server));
}

function echo(socket) {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}

function chat() {
  const members = new Set();
  return (socket) => {
    let tail = Buffer.alloc(0);
    members.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => members.delete(socket));
    socket.on('data', (data) => {
      const text = tail.length ? Buffer.concat([tail, data]) : data;
      const end = text.lastIndexOf(10) + 1;
      tail = text.subarray(end);
      if (end === 0) return;
      // One write a chunk, however many lines are in it.
      const lines = text.toString('latin1', 0, end - 1).split('\n');
      const heard = Buffer.from(`-> ${lines.join('\n-> ')}\n`, 'latin1');
      for (const member of members) if (member !== socket) member.write(heard);
    });
  };
}

function accumulator() {
  let total = 0;
  return (socket) => {
    let tail = Buffer.alloc(0);
    const pushing = setInterval(() => {
      const sum = Buffer.alloc(4);
      sum.writeInt32LE(total | 0);
      socket.write(sum);
    }, 3000);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clearInterval(pushing));
    socket.on('data', (data) => {
      const bytes = tail.length ? Buffer.concat([tail, data]) : data;
      const end = bytes.length - (bytes.length % 4);
      for (let at = 0; at < end; at += 4) total += bytes.readInt32LE(at);
      tail = bytes.subarray(end);
    });
  };
}

function fileSink(path) {
  const file = fs.createWriteStream(path, { flags: 'a' });
  file.setMaxListeners(0);
  return (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(file, { end: false });
  };
}

const services = {
  'tcp-echo': () => serve(net.createServer(echo)),
  'tls-echo': () => {
    const files = { cert: fs.readFileSync(option('cert')), key: fs.readFileSync(option('key')) };
    serve(tls.createServer({ ...files, minVersion: 'TLSv1.3' }, echo));
  },
  'udp-echo': () => {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (data, from) => socket.send(data, from.port, from.address));
    socket.bind(0, '127.0.0.1', ready(socket));
  },
  chat: () => serve(net.createServer(chat())),
  accumulator: () => serve(net.createServer(accumulator())),
  filesink: () => serve(net.createServer(fileSink(option('file')))),
};

services[service]();
