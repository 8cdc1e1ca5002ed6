// The page application: an ordinary web server that also speaks WebSocket on /ws/events.
//
// Like most single-page applications it answers every request it does not know with its page. That is what
// turns a lost upgrade into a puzzling "200 OK": to this server a stripped upgrade is just another page view.
'use strict';

const http = require('node:http');
const { WebSocketServer } = require('ws');

const PORT = 3000;
const PAGE = '<!doctype html>\n<html lang="en"><title>Chat</title><body>The chat page.</body></html>\n';

const server = http.createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(PAGE);
});

new WebSocketServer({ server, path: '/ws/events' }).on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen(PORT, '::');
