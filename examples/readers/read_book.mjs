// Follow an order book with nothing but node and docs/protocol.md: node read_book.mjs STREAM [PORT] [HOST]
import net from "node:net";

/** Return the value at `at` in RESP (protocol 2) and where the next begins; null while it is incomplete. */
function parse(buffer, at) {
  const end = buffer.indexOf("\r\n", at);
  if (end < 0) return null;
  const kind = String.fromCharCode(buffer[at]), text = buffer.toString("utf8", at + 1, end), size = Number(text);
  if (kind === "$" && size >= 0)
    return buffer.length < end + size + 4 ? null : [buffer.toString("utf8", end + 2, end + 2 + size), end + size + 4];
  if (kind !== "*" || size < 0) return [kind === ":" ? size : text, end + 2];
  const items = [];
  let item = [null, end + 2];
  while (items.length < size && (item = parse(buffer, item[1]))) items.push(item[0]);
  return item && [items, item[1]];
}

/** Connect; hand each reply to `receive`, and return the function that sends a command. */
function connect(receive) {
  const socket = net.connect(Number(process.argv[3] ?? 6379), process.argv[4] ?? "127.0.0.1");
  let rest = Buffer.alloc(0);
  socket.on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    for (let found; (found = parse(rest, 0)); rest = rest.subarray(found[1])) receive(found[0]);
  });
  return (...parts) =>
    socket.write(`*${parts.length}\r\n` + parts.map((p) => `$${Buffer.byteLength(p)}\r\n${p}\r\n`).join(""));
}

const name = process.argv[2], waiting = [];
const send = connect((reply) => waiting.shift()(reply));
const ask = (...parts) => new Promise((resolve) => (waiting.push(resolve), send(...parts)));
const place = (id) => id.split("-").map(Number), dataOf = (entry) => JSON.parse(entry[1][entry[1].indexOf("data") + 1]);
let book, last, live = [], busy = true;

/** Apply the next message, skip a known one; return false if one is missing. */
function take(message) {
  const [epoch, seq] = place(message.id);
  if (epoch < last[0] || (epoch === last[0] && seq <= last[1])) return true;
  if (epoch !== last[0] || seq !== last[1] + 1) return false;
  last = [epoch, seq];
  for (const side of message.type === "delta" ? ["bids", "asks"] : [])
    for (const [price, amount] of message.data[side]) amount ? book[side].set(price, amount) : book[side].delete(price);
  return true;
}

/** Read the last message again, which proves that the journal reaches back to it, and all that follow. */
async function catchUp() {
  const entries = await ask("XRANGE", name, last.join("-"), "+");
  return (last[1] === 0 || entries[0]?.[0] === last.join("-")) && entries.map(dataOf).every(take);
}

/** Take the newest snapshot, then what the journal holds after it. */
async function start() {
  const { data } = dataOf((await ask("XREVRANGE", name.replace("stream.", "stream.snapshot."), "+", "-", "COUNT", "1"))[0]);
  [book, last] = [{ bids: new Map(data.bids), asks: new Map(data.asks) }, place(data.asOf)];
  return catchUp();
}

const show = () => console.log(last.join("-"), Math.max(...book.bids.keys()), Math.min(...book.asks.keys()));

/** Work off what arrived live: a gap is filled from the journal, or else begun anew with a snapshot. */
async function work() {
  for (busy = true; live.length; ) {
    const message = live.shift();
    if (!take(message) && !(await catchUp())) await start();
    show();
  }
  busy = false;
}

connect(([kind, , text]) => {
  if (kind === "subscribe") return start().then(show).then(work);
  live.push(JSON.parse(text));
  if (!busy) work();
})("SUBSCRIBE", name);
