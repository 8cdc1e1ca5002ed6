// A subscriber that sends to himself: says in one line what came back.
//
//   node broker-client.js PROTOCOL PATH ADDRESS      PROTOCOL: mqtt or stomp
'use strict';

const WebSocket = require('ws');
const { hostAt, end } = require('./here.js');

const [protocol, path, address] = process.argv.slice(2);
const url = `ws://${hostAt(address)}${path}`;
const TOPIC = 'room/1';

const protocols = {
  mqtt() {
    const client = require('mqtt').connect(url, { clientId: 'lab', reconnectPeriod: 0 });
    client.on('connect', () => client.subscribe(TOPIC, () => client.publish(TOPIC, 'hello')));
    client.on('message', (_topic, message) => client.end(false, () => end(`came back: ${message}`)));
  },
  stomp() {
    const { Client } = require('@stomp/stompjs');
    const client = new Client({ webSocketFactory: () => new WebSocket(url, 'v12.stomp'), reconnectDelay: 0 });
    client.onConnect = () => {
      client.subscribe(TOPIC, async ({ body }) => {
        await client.deactivate();
        end(`came back: ${body}`);
      });
      client.publish({ destination: TOPIC, body: 'hello' });
    };
    client.activate();
  },
};
protocols[protocol]();
