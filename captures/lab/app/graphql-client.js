// A GraphQL client with subscriptions: says in one line how its conversation went.
//
//   node graphql-client.js CONVERSATION PATH ADDRESS
//
// Conversations: `ask` and `subscribe` with the library graphql-ws; `expired` brings a token that is refused; `older` asks
// with subscriptions-transport-ws. The others are programs without a library, which do one thing wrong: they ask
// before they are let in, never say who they are, say it twice, use a name twice, or say something else.
'use strict';

const WebSocket = require('ws');
const { hostAt, end } = require('./here.js');

const [conversation, path, address] = process.argv.slice(2);
const url = `ws://${hostAt(address)}${path}`;

const closed = ({ code, reason }) => end(`closed: ${code} ${reason}`.trim());

function withLibrary(connectionParams) {
  const { createClient } = require('graphql-ws');
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams });
  client.on('closed', (event) => event.code !== 1000 && closed(event));
  return client;
}

function subscribe() {
  const client = withLibrary();
  const numbers = [];
  client.subscribe({ query: 'subscription { countdown(from: 3) }' }, {
    next: ({ data }) => numbers.push(data.countdown),
    error: () => {},
    complete() {
      client.dispose();
      end(`counted: ${numbers}`);
    },
  });
}

function ask(connectionParams) {
  const client = withLibrary(connectionParams);
  client.subscribe({ query: '{ hello }' }, {
    next({ data }) {
      client.dispose();
      end(`answered: ${data.hello}`);
    },
    error: () => {},
    complete: () => {},
  });
}

function older() {
  const { SubscriptionClient } = require('subscriptions-transport-ws');
  const client = new SubscriptionClient(url, { reconnect: false }, WebSocket);
  client.client.addEventListener('close', closed);
  client.request({ query: '{ hello }' }).subscribe({
    next({ data }) {
      client.client.removeEventListener('close', closed);
      client.close();
      end(`answered: ${data.hello}`);
    },
    error: () => {},
  });
}

/** No library: these messages, one after the other, whatever comes back. */
function bare(...messages) {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  socket.on('open', () => messages.forEach((message) => socket.send(JSON.stringify(message))));
  socket.on('close', (code, reason) => closed({ code, reason }));
}

const init = { type: 'connection_init' };
const subscription = { id: '1', type: 'subscribe', payload: { query: 'subscription { countdown(from: 9) }' } };
const conversations = {
  ask,
  subscribe,
  expired: () => ask({ token: 'expired' }),
  older,
  'too-early': () => bare(subscription),
  'never-says-who': () => bare(),
  'says-it-twice': () => bare(init, init),
  'names-twice': () => bare(init, subscription, subscription),
  'older-words': () => bare(init, { id: '1', type: 'start', payload: { query: '{ hello }' } }),
};
conversations[conversation]();
