// A Socket.IO server as its first page of documentation has it: it greets, and answers what it is asked.
//
//   node socketio.js PORT
'use strict';

const { createServer } = require('node:http');
const { Server } = require('socket.io');

const http = createServer();
const io = new Server(http);
io.on('connection', (socket) => {
  socket.emit('greeting', 'hello');
  socket.on('question', (text, answer) => answer(text));
});
http.listen(Number(process.argv[2]));
