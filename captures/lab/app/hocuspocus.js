// A Hocuspocus server: one document that several editors share. The token `expired` is refused.
'use strict';

const { Server } = require('@hocuspocus/server');

new Server({
  port: 3000,
  quiet: true,
  stopOnSignals: false,
  async onAuthenticate({ token }) {
    if (token === 'expired') throw new Error('the token has expired');
  },
}).listen();
