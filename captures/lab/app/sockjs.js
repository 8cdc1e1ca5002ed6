// A SockJS server that says everything back.
'use strict';

const { createServer } = require('node:http');
const sockjs = require('sockjs');

const echo = sockjs.createServer({ log: () => {} });
echo.on('connection', (connection) => connection.on('data', (message) => connection.write(message)));
const server = createServer();
echo.installHandlers(server, { prefix: '/echo' });
server.listen(3000);
