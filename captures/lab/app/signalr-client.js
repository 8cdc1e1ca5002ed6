// A SignalR client: negotiates, connects, calls a method, and says in one line how that went.
//
//   node signalr-client.js CONVERSATION PATH ADDRESS
//
// Conversations: `ask` with the library; `mute` negotiates and opens the WebSocket by hand, and then says nothing.
'use strict';

const WebSocket = require('ws');
const { HubConnectionBuilder, HttpTransportType, LogLevel } = require('@microsoft/signalr');
const { hostAt, end } = require('./here.js');

const [conversation, path, address] = process.argv.slice(2);
const at = `${hostAt(address)}${path}`;

async function ask() {
  const hub = new HubConnectionBuilder()
    .withUrl(`http://${at}`, { transport: HttpTransportType.WebSockets })
    .configureLogging(LogLevel.None)
    .build();
  try {
    await hub.start();
    const answer = await hub.invoke('Echo', 'still there?');
    await hub.stop();
    end(`answered: ${answer}`);
  } catch {
    end('failed');
  }
}

async function mute() {
  const answer = await fetch(`http://${at}/negotiate?negotiateVersion=1`, { method: 'POST' });
  const { connectionToken } = await answer.json();
  const socket = new WebSocket(`ws://${at}?id=${connectionToken}`);
  socket.on('close', (code) => end(`closed: ${code}`));
}

({ ask, mute })[conversation]();
