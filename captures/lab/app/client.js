// The browser's part: opens one WebSocket, holds one named conversation, and says in one line how it ended.
//
//   node client.js CONVERSATION TARGET ADDRESS      e.g. node client.js greet /api/live 10.77.1.1
'use strict';

const net = require('node:net');
const { once } = require('node:events');
const WebSocket = require('ws');

const HOST = 'chat.example.test';
const PATIENCE_MS = 10_000;

/** Sends a message and waits for the answer, so that the order of frames is the same in every run. */
async function ask(socket, message, options) {
  const answer = once(socket, 'message');
  socket.send(message, options);
  await answer;
}

const conversations = {
  /** The smallest conversation that proves a working route: one message, one echo, an orderly close. */
  async greet(socket) {
    await ask(socket, 'hello');
    socket.close(1000, 'bye');
  },

  /** Every kind of frame at least once; each ping is answered before the next frame goes out. */
  async chat(socket) {
    await ask(socket, 'hello');
    await ask(socket, Buffer.from([0, 1, 2, 3, 254, 255]));
    const pong = once(socket, 'pong');
    const echo = once(socket, 'message');
    socket.send('a message ', { fin: false });
    socket.ping('inside a message');
    await pong;
    socket.send('in three ', { fin: false });
    socket.send('fragments', { fin: true });
    await echo;
    await ask(socket, 'tell me a story');
    await ask(socket, 'x'.repeat(300));
    socket.close(1000, 'bye');
  },

  /** Compressed messages, with an uncompressed one among them; the server closes. */
  async deflate(socket) {
    await ask(socket, 'hello');
    await ask(socket, 'this one is sent as it is', { compress: false });
    await ask(socket, 'the same words again and again, '.repeat(64));
    await ask(socket, 'the same words again and again, '.repeat(64));
    await ask(socket, Buffer.alloc(2048, 7));
    await ask(socket, 'tell me a story');
    socket.send('close the room');
  },

  /** A few messages, then silence: whoever is impatient ends it. */
  async silence(socket) {
    await ask(socket, 'hello');
    await ask(socket, 'are you still there?');
  },

  /** Greets, then waits for a line on standard input, so that a capture can start in between. */
  async resume(socket) {
    await ask(socket, 'hello');
    console.log('greeted');
    await once(process.stdin, 'data');
    process.stdin.pause();
    for (const word of ['one', 'two', 'three']) await ask(socket, word);
    await ask(socket, Buffer.from([1, 2, 3]));
    await ask(socket, 'tell me a story');
    socket.close(1000, 'bye');
  },
};

const [conversation, target, address] = process.argv.slice(2);
const socket = new WebSocket(`ws://${HOST}${target}`, {
  lookup: (_name, _options, found) => found(null, [{ address, family: net.isIP(address) }]),
  origin: `http://${HOST}`,
  headers: { Cookie: 'session=sample-value-no-secret' },
});
let failed = false;
socket.on('error', (error) => {
  failed = true;
  console.log(`failed: ${error.message}`);
});
socket.on('open', () => conversations[conversation](socket));
socket.on('close', (code, reason) => {
  if (!failed) console.log(`closed: ${code} ${reason}`.trim());
});
setTimeout(() => {
  console.log('failed: no end within 10 seconds');
  process.exit(1);
}, PATIENCE_MS).unref();
