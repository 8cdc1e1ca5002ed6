// An editor: opens a shared document, writes into it, and says in one line how that went.
//
//   node hocuspocus-client.js CONVERSATION PATH ADDRESS
//
// Conversations: `write` brings a good token, `expired` one that is refused, `try` gives up when the first connection fails.
'use strict';

const WebSocket = require('ws');
const { HocuspocusProvider, HocuspocusProviderWebsocket } = require('@hocuspocus/provider');
const { hostAt, end } = require('./here.js');

const [conversation, path, address] = process.argv.slice(2);
const websocketProvider = new HocuspocusProviderWebsocket({
  url: `ws://${hostAt(address)}${path}`,
  WebSocketPolyfill: WebSocket,
  maxAttempts: conversation === 'try' ? 1 : 3,
  delay: 1000,
});
// The provider rejects a promise of its own when its last attempt fails.
process.on('unhandledRejection', () => {});
let hasLeft = false;
function leave(line) {
  if (hasLeft) return;
  hasLeft = true;
  end(line);
  provider.destroy();
  websocketProvider.destroy();
}
const provider = new HocuspocusProvider({
  websocketProvider,
  name: 'page-1',
  token: conversation === 'expired' ? 'expired' : 'sample-no-secret',
  onAuthenticationFailed: ({ reason }) => setTimeout(leave, 1000, `not let in: ${reason}`),
  onSynced() {
    const text = provider.document.getText('page');
    text.insert(0, 'hello');
    provider.on('unsyncedChanges', ({ number }) => number === 0 && leave(`written: ${text}`));
  },
});
provider.attach();
websocketProvider.on('close', () => conversation === 'try' && leave('failed'));
