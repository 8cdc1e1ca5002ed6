// The browser's part: opens one WebSocket, holds one named conversation, and says in one line how it ended.
//
//   node client.js CONVERSATION TARGET ADDRESS [OPTION=VALUE...]     e.g. node client.js greet /api/live 10.77.1.1
//
// Options: port, scheme (ws or wss), host, origin, subprotocol, cookie, deflate (no), forgets (client, server or both: who
// shall start each message with an empty compression window), pong (no), patience (ms for the handshake).
'use strict';

const net = require('node:net');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const WebSocket = require('ws');

const HOST = 'chat.example.test';
const PATIENCE_MS = 10_000;

/** Sends a message and waits for the answer, so that the order of frames is the same in every run. */
async function ask(socket, message, options) {
  const answer = once(socket, 'message');
  socket.send(message, options);
  await answer;
}

/** A cookie of the asked size in bytes, or the usual one. */
function cookie(size) {
  if (size === 'expired') return 'session=expired-sample-no-secret';
  return `session=${size ? 'sample-no-secret-'.repeat(size / 17) : 'sample-value-no-secret'}`;
}

/** What is offered of permessage-deflate; `forgets` asks for a window that is empty at the start of each message. */
function compression({ deflate, forgets }) {
  if (forgets === undefined) return deflate !== 'no';
  return {
    clientNoContextTakeover: forgets !== 'server',
    serverNoContextTakeover: forgets !== 'client',
  };
}

const conversations = {
  /** The smallest conversation that proves a working route: one message, one echo, an orderly close. */
  async greet(socket) {
    await ask(socket, 'hello');
    socket.close(1000, 'bye');
  },

  /** Leaves at once, in order. */
  async leave(socket) {
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

  /** A few messages, then silence: whoever is impatient ends it, or the client itself after a while. */
  async silence(socket) {
    await ask(socket, 'hello');
    await ask(socket, 'are you still there?');
    await sleep(6000, undefined, { ref: false });
    socket.close(1000, 'bye');
  },

  /** One message every two seconds: talk that keeps a connection open. */
  async talk(socket) {
    for (const word of ['one', 'two', 'three', 'four']) {
      await ask(socket, word);
      await sleep(2000);
    }
    socket.close(1000, 'bye');
  },

  /** No message for a long time, and only the other side's pings keep the connection open. */
  async listen(socket) {
    await ask(socket, 'hello');
    await sleep(6000);
    socket.close(1000, 'bye');
  },

  /** Greets, and goes on talking until somebody ends it, or the client itself after a while. */
  async chatter(socket) {
    await ask(socket, 'hello');
    console.log('greeted');
    process.stdin.unref();
    const talking = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('still here'), 400);
    socket.on('close', () => clearInterval(talking));
    await sleep(5000, undefined, { ref: false });
    socket.close(1000, 'bye');
  },

  /** Greets, then closes the TCP connection without a Close frame, as a killed program does. */
  async vanish(socket) {
    await ask(socket, 'hello');
    socket._socket.destroy();
  },

  /** The same with a reset. */
  async reset(socket) {
    await ask(socket, 'hello');
    socket._socket.resetAndDestroy();
  },

  /** Is silent for a while, speaks again, waits for an answer in vain, and gives up. */
  async 'give-up'(socket) {
    await ask(socket, 'hello');
    await sleep(2000);
    socket.send('still there?');
    await sleep(3500);
    socket.terminate();
  },

  /** Sends a message that is larger than the server takes. */
  async large(socket) {
    await ask(socket, 'hello');
    socket.send('x'.repeat(2000));
  },

  /** A message that does not fit into one packet, and its echo. */
  async long(socket) {
    await ask(socket, 'hello');
    await ask(socket, 'x'.repeat(2000));
    socket.close(1000, 'bye');
  },

  /** Greets, and waits for what the server does. */
  async wait(socket) {
    await ask(socket, 'hello');
  },

  /** Greets, then says more and waits in vain for the answer. */
  async secret(socket) {
    await ask(socket, 'hello');
    socket.send('this is confidential');
    await sleep(1500);
    socket.send('are you still there?');
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

const [conversation, target, address, ...words] = process.argv.slice(2);
const options = Object.fromEntries(words.map((word) => word.split('=')));
const { scheme = 'ws', host = HOST, port } = options;
const socket = new WebSocket(`${scheme}://${host}${port ? `:${port}` : ''}${target}`, options.subprotocol, {
  lookup: (_name, _options, found) => found(null, [{ address, family: net.isIP(address) }]),
  origin: options.origin ?? `http://${HOST}`,
  headers: { Cookie: cookie(options.cookie) },
  perMessageDeflate: compression(options),
  autoPong: options.pong !== 'no',
  rejectUnauthorized: false,
  ...(options.patience && { handshakeTimeout: Number(options.patience) }),
});
let failed = false;
socket.on('error', (error) => {
  failed = true;
  // OpenSSL's own line has an address in it.
  console.log(`failed: ${error.message.replace(/^.*SSL routines:[^:]*:([^:]*):.*$/s, 'TLS: $1')}`);
});
// What a conversation misses when the connection breaks is told by 'error' and 'close'.
socket.on('open', () => conversations[conversation](socket).catch(() => {}));
socket.on('close', (code, reason) => {
  if (!failed) console.log(`closed: ${code} ${reason}`.trim());
});
setTimeout(() => {
  console.log('failed: no end within 10 seconds');
  process.exit(1);
}, PATIENCE_MS).unref();
