// A SignalR server in small: negotiation, connections by their token, the handshake, and the JSON hub protocol with one
// method, `Echo`. What it answers and says is what ASP.NET Core does.
//
//   node signalr.js PORT
'use strict';

const { randomBytes } = require('node:crypto');
const { createServer } = require('node:http');
const { WebSocketServer } = require('ws');

const SEPARATOR = '\x1e';
// ASP.NET Core waits 15 s; no sample needs to be that long.
const HANDSHAKE_TIMEOUT_MS = 3000;
const HUB = '/hub';

const connections = new Set();
const id = () => randomBytes(16).toString('base64url');

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'POST' && pathname === `${HUB}/negotiate`) {
    const connectionToken = id();
    connections.add(connectionToken);
    const availableTransports = [{ transport: 'WebSockets', transferFormats: ['Text', 'Binary'] }];
    const answer = JSON.stringify({ negotiateVersion: 1, connectionId: id(), connectionToken, availableTransports });
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(answer);
  } else {
    response.writeHead(404).end();
  }
});

const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname !== HUB || !connections.has(searchParams.get('id'))) {
    const body = 'No Connection with that ID';
    socket.end(`HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    return;
  }
  sockets.handleUpgrade(request, socket, head, serve);
});

function serve(socket) {
  const say = (message) => socket.send(JSON.stringify(message) + SEPARATOR);
  const impatience = setTimeout(() => {
    say({ error: 'Handshake was canceled.' });
    socket.close(1000);
  }, HANDSHAKE_TIMEOUT_MS);
  let isGreeted = false;
  socket.on('close', () => clearTimeout(impatience));
  socket.on('message', (data) => {
    for (const record of data.toString().split(SEPARATOR).filter(Boolean)) {
      const message = JSON.parse(record);
      if (!isGreeted) {
        isGreeted = true;
        clearTimeout(impatience);
        say({});
      } else if (message.type === 1) {
        say({ type: 3, invocationId: message.invocationId, result: message.arguments[0] });
      }
    }
  });
}

server.listen(Number(process.argv[2]));
