// An application that speaks HTTP/2 in the clear, and nothing else.
'use strict';

const http2 = require('node:http2');

const port = Number(process.argv[process.argv.indexOf('--port') + 1]);

http2.createServer((_request, response) => response.end('this is HTTP/2\n')).listen(port);
