// The programs of the page, as WebAssembly. Their arrays are views of its memory: to write to one is to give a program
// its input, and after a run the results are there to be read.
const KINDS = {
  float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array, int16: Int16Array, int8: Int8Array, uint8: Uint8Array,
  bool: Uint8Array, uint32: Uint32Array,
};
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const product = list => list.reduce((n, k) => n * k, 1);
const arrays = {}, first = {}; // by name: as they are, and as they were when the page was written
let machine = null;

async function load() {
  // the module is a command, too: its main, which nobody calls here, would ask for files
  const none = new Proxy({}, { get: () => () => 52 });
  machine = (await WebAssembly.instantiate(bytes(D.wasm), { wasi_snapshot_preview1: none })).instance.exports;
  D.order.forEach((name, i) => {
    const a = D.arrays[name];
    arrays[name] = new KINDS[a.dtype](machine.memory.buffer, machine.address(i), product(a.shape));
    const held = contents(a);
    if (held) first[name] = held;
  });
  begin();
}

function contents(a) {
  const Kind = KINDS[a.dtype];
  if (!a.bytes) return null;
  if (!a.of) return new Kind(bytes(a.bytes).buffer);
  const palette = new Kind(bytes(a.of).buffer); // one byte for each number: its place in a list
  return Kind.from(bytes(a.bytes), k => palette[k]);
}

// Everything as it was when the page was written, but for the inputs that are asked for.
function begin(roles = ["parameter", "state", "input", "data", "rate"]) {
  for (const name in first) if (roles.includes(D.arrays[name].role)) arrays[name].set(first[name]);
}

// One run: "", or what is wrong.
const WRONG = ["", "an index is out of range", "a condition on data is another",
               "the table of learning rates has no more steps"];
const run = (program, step = 0) => WRONG[machine[program.run](step)];
