// Speaks WebSocket with the package `ws`.
//
// talk.js WS serve PORT        an upstream that echoes, with permessage-deflate
// talk.js WS client PORT PATH  text, binary, a long message, fragments, a ping, and a close

const [, , module_, command, port, path] = process.argv;
const { WebSocket, WebSocketServer } = require(module_);

if (command === "serve") {
  const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: { threshold: 64 } });
  server.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
  server.on("listening", () => console.log("ready"));
} else {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { Host: "chat.example.test" } });
  let echoes = 0;
  socket.on("unexpected-response", (_, answer) => console.log(answer.statusCode) || process.exit());
  socket.on("open", () => {
    socket.send("hello");
    socket.send(Buffer.from([0, 1, 2, 255]));
    socket.send("long ".repeat(40000));
    socket.send("frag", { fin: false });
    socket.send("ments", { fin: true });
    socket.ping("still there?");
  });
  const isDone = () => echoes === 5 && socket.close(1000, "done");
  socket.on("message", () => (echoes += 1) && isDone());
  socket.on("pong", () => (echoes += 1) && isDone());
  socket.on("close", (code) => console.log(101, code));
}
