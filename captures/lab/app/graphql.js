// A GraphQL server with subscriptions, as the first page of its library's documentation has it.
//
//   node graphql.js LIBRARY      graphql-ws, or subscriptions-transport-ws, which is no longer kept up
//
// `connectionParams` with `token: expired` are refused.
'use strict';

const { createServer } = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const { buildSchema, execute, subscribe } = require('graphql');
const { WebSocketServer } = require('ws');

const PORT = 3000;
const path = '/graphql';

const schema = buildSchema('type Query { hello: String } type Subscription { countdown(from: Int!): Int }');
schema.getQueryType().getFields().hello.resolve = () => 'hello';
schema.getSubscriptionType().getFields().countdown.subscribe = async function* countdown(_root, { from }) {
  for (let number = from; number >= 0; number -= 1) {
    yield { countdown: number };
    await sleep(100);
  }
};
const isLetIn = (parameters) => parameters?.token !== 'expired';

const server = createServer((_request, response) => response.writeHead(404).end());
const libraries = {
  'graphql-ws': () => {
    const { useServer } = require('graphql-ws/use/ws');
    useServer(
      { schema, connectionInitWaitTimeout: 1000, onConnect: ({ connectionParams }) => isLetIn(connectionParams) },
      new WebSocketServer({ server, path }),
    );
  },
  'subscriptions-transport-ws': () => {
    const { SubscriptionServer } = require('subscriptions-transport-ws');
    SubscriptionServer.create({ schema, execute, subscribe, onConnect: isLetIn }, { server, path });
  },
};
libraries[process.argv[2]]();
server.listen(PORT);
