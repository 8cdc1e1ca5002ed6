// A SockJS client: asks once, over whatever transport works, and says in one line how that went.
//
//   node sockjs-client.js ask PATH ADDRESS
'use strict';

const SockJS = require('sockjs-client');
const { hostAt, end } = require('./here.js');

const [, path, address] = process.argv.slice(2);
const socket = new SockJS(`http://${hostAt(address)}${path}`);
socket.onopen = () => socket.send('still there?');
socket.onmessage = ({ data }) => {
  end(`answered over ${socket.transport}: ${data}`);
  socket.close();
};
