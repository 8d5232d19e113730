// The chat's rooms over WebSocket, by the npm package "ws", or over Socket.IO, by "socket.io".
//
//     node websocket_server.js websocket|socketio FOLDER
//
// FOLDER has the packages in its node_modules.  Prints `listening PORT`.  A client says hello, joins
// rooms and says something there, which all others in the room get: the requests and events of the
// chat's page on WebSocket, as far as the load generator uses them.
'use strict';

const { createServer } = require('node:http');
const { createRequire } = require('node:module');
const path = require('node:path');

const [service, folder] = process.argv.slice(2);
const installed = createRequire(path.join(path.resolve(folder), 'here.js'));
let said = 0;

function message(nick, room, text) {
  said += 1;
  const time = Date.now();
  return { id: `m-${said}`, time, nick, account: null, kind: 'message', text, room, order: said };
}

function bare(server) {
  const { WebSocketServer } = installed('ws');
  const rooms = new Map();
  const requests = {
    hello: (socket, { nick }) => {
      socket.nick = nick;
      return {};
    },
    join: (socket, { room }) => {
      if (!rooms.has(room)) rooms.set(room, new Set());
      rooms.get(room).add(socket);
      socket.once('close', () => rooms.get(room).delete(socket));
      return { room };
    },
    say: (socket, { room, text }) => {
      const found = message(socket.nick, room, text);
      const frame = JSON.stringify({ type: 'message', ...found });
      for (const one of rooms.get(room)) if (one !== socket) one.send(frame);
      return { message: found };
    },
  };
  new WebSocketServer({ server, path: '/ws' }).on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => {
      const { type, ...fields } = JSON.parse(data);
      socket.send(JSON.stringify({ type: 'done', ...requests[type](socket, fields) }));
    });
  });
}

function socketio(server) {
  const { Server } = installed('socket.io');
  new Server(server, { serveClient: false }).on('connection', (socket) => {
    socket.on('hello', ({ nick }, answer) => {
      socket.data.nick = nick;
      answer({ type: 'done' });
    });
    socket.on('join', ({ room }, answer) => {
      socket.join(room);
      answer({ type: 'done', room });
    });
    socket.on('say', ({ room, text }) => {
      const found = message(socket.data.nick, room, text);
      socket.to(room).emit('message', { type: 'message', ...found });
    });
  });
}

const server = createServer((_, response) => response.writeHead(404).end());
({ websocket: bare, socketio })[service](server);
server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () =>
  console.log(`listening ${server.address().port}`),
);
