// A Socket.IO client: connects as it does unless told otherwise, by polling first, and says in one line how that went.
//
//   node socketio-client.js CONVERSATION PATH ADDRESS [OPTION=VALUE...]
//
// Conversations: `ask` asks one question over a WebSocket and leaves; `insist` comes again until it has failed often;
// `stay` asks again and again over whatever transport there is.
'use strict';

const http = require('node:http');
const net = require('node:net');
const { io } = require('socket.io-client');

const HOST = 'chat.example.test';
const FAILURES = 4;
const QUESTIONS = 4;
const PAUSE_MS = 2000;
const PATIENCE_MS = 10_000;

const [conversation, path, address] = process.argv.slice(2);
const agent = new http.Agent({
  keepAlive: false,
  lookup: (_name, _options, found) => found(null, [{ address, family: net.isIP(address) }]),
});
const socket = io(`http://${HOST}`, { path, agent, reconnectionDelay: 200, reconnectionDelayMax: 200 });

function end(line) {
  console.log(line);
  socket.close();
  setTimeout(() => process.exit(0), 300);
}

function stay(answered = 0) {
  if (answered === QUESTIONS) return end(`answered ${QUESTIONS} times over ${socket.io.engine.transport.name}`);
  return socket.emit('question', 'still there?', () => setTimeout(stay, PAUSE_MS, answered + 1));
}

let failures = 0;
socket.on('connect', () => {
  if (conversation === 'stay') stay();
  if (conversation !== 'ask') return;
  const transport = socket.io.engine;
  const ask = () => socket.emit('question', 'still there?', (answer) => end(`answered over ${transport.transport.name}: ${answer}`));
  if (transport.transport.name === 'websocket') ask();
  else transport.once('upgrade', ask);
});
function failed() {
  failures += 1;
  if (failures === FAILURES) end(`failed ${FAILURES} times`);
}
socket.on('connect_error', failed);
socket.on('disconnect', (reason) => reason !== 'io client disconnect' && failed());
setTimeout(() => {
  console.log('no end within 10 seconds');
  process.exit(1);
}, PATIENCE_MS).unref();
