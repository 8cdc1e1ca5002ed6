// Lets every library of this process find the lab's host name at one address, as an entry in /etc/hosts would.
'use strict';

const dns = require('node:dns');
const net = require('node:net');

const HOST = 'chat.example.test';
const PATIENCE_MS = 12_000;

/** The host's name; whoever looks it up from now on gets `address`. */
function hostAt(address) {
  dns.lookup = (_name, options, found) => {
    const [settings, answer] = typeof options === 'function' ? [{}, options] : [options, found];
    const family = net.isIP(address);
    process.nextTick(() => (settings.all ? answer(null, [{ address, family }]) : answer(null, address, family)));
  };
  return HOST;
}

/** Says how it went, and ends the program a moment later, so that what a library still has to send is sent. */
function end(line) {
  console.log(line);
  setTimeout(() => process.exit(0), 300);
}

setTimeout(() => {
  console.log(`no end within ${PATIENCE_MS / 1000} seconds`);
  process.exit(1);
}, PATIENCE_MS).unref();

module.exports = { hostAt, end };
