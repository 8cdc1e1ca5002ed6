// Message brokers behind a WebSocket: MQTT on /mqtt (the broker aedes), and STOMP on /stomp, as much of it as one
// subscriber needs who sends to himself.
'use strict';

const { createServer } = require('node:http');
const { Aedes } = require('aedes');
const { WebSocketServer, createWebSocketStream } = require('ws');

const choose = (...known) => (offered) => known.find((name) => offered.has(name)) ?? false;
const mqtt = new WebSocketServer({ noServer: true, handleProtocols: choose('mqtt') });
const stomp = new WebSocketServer({ noServer: true, handleProtocols: choose('v12.stomp') });

function speakStomp(socket) {
  const say = (command, headers, body = '') =>
    socket.send(`${command}\n${Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join('')}\n${body}\0`);
  let subscription;
  socket.on('message', (data) => {
    const [head, body] = data.toString().split('\n\n');
    const [command, ...lines] = head.trim().split('\n');
    const headers = Object.fromEntries(lines.map((line) => line.trim().split(/:(.*)/s)));
    if (command === 'CONNECT') say('CONNECTED', { version: '1.2', 'heart-beat': '0,0' });
    if (command === 'SUBSCRIBE') subscription = headers.id;
    if (command === 'SEND') {
      say('MESSAGE', { subscription, 'message-id': 1, destination: headers.destination }, body.replace('\0', ''));
    }
    if (headers.receipt) say('RECEIPT', { 'receipt-id': headers.receipt });
  });
}

(async () => {
  const broker = await Aedes.createBroker();
  mqtt.on('connection', (socket) => broker.handle(createWebSocketStream(socket)));
  stomp.on('connection', speakStomp);
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket, head) => {
    const sockets = { '/mqtt': mqtt, '/stomp': stomp }[request.url];
    if (!sockets) return socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request));
  });
  server.listen(3000);
})();
