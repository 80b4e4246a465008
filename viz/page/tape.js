// ---- the page's own engine in small ----------------------------------------------------------------------------------
// A Num holds its value and, of each number that it was made from, the local derivative. The tape lists them as they
// were made; read backwards, it is backward.
let tape = [];
class Num {
  constructor(v, from = []) { this.v = v; this.from = from; this.g = 0; tape.push(this); }
  add(b) { return new Num(this.v + b.v, [[this, 1], [b, 1]]); }
  sub(b) { return new Num(this.v - b.v, [[this, 1], [b, -1]]); }
  mul(b) { return new Num(this.v * b.v, [[this, b.v], [b, this.v]]); }
  div(b) { return new Num(this.v / b.v, [[this, 1 / b.v], [b, -this.v / b.v / b.v]]); }
  sqrt() { const r = Math.sqrt(this.v); return new Num(r, [[this, 0.5 / r]]); }
  exp() { const e = Math.exp(this.v); return new Num(e, [[this, e]]); }
  log() { return new Num(Math.log(this.v), [[this, 1 / this.v]]); }
  log_size() { return new Num(Math.log(Math.abs(this.v)), [[this, 1 / this.v]]); }
}
function read_backwards() { for (let k = tape.length - 1; k >= 0; k--) if (tape[k].g) for (const [x, d] of tape[k].from) x.g += d * tape[k].g; }
// ---- connectionist temporal classification: the readings of a sequence, added up frame by frame (ops/ctc.py) ----------
const log_sum = terms => {
  const some = terms.filter(t => t && t.v > -Infinity), most = Math.max(...some.map(t => t.v));
  return some.length < 2 ? some[0] ?? null : some.map(t => t.sub(new Num(most)).exp()).reduce((a, b) => a.add(b)).log().add(new Num(most));
};
function readings(i, { blank, zero_infinity }) {
  const n = N[i], [frames, batch, classes] = shapeOf(n.i[0]), [labels, lengths, sizes] = n.i.slice(1).map(j => elements(N[j].v)), most = shapeOf(n.i[1])[1];
  if (frames * batch * (2 * most + 1) > 4000) return null;
  const at = (t, z, c) => (t * batch + z) * classes + c;
  const run = x => { // the tape, its leaves, and the loss of each sequence; null: no reading is possible
    tape = [];
    const lp = x.map(v => new Num(v)), out = [];
    for (let z = 0; z < batch; z++) {
      const states = [blank];
      for (let k = 0; k < sizes[z]; k++) states.push(labels[z * most + k], blank);
      let alpha = states.map((c, k) => lengths[z] && k < 2 ? lp[at(0, z, c)] : null);
      for (let t = 1; t < lengths[z]; t++) {
        alpha = states.map((c, k) => {
          const all = log_sum([alpha[k], alpha[k - 1], c !== blank && c !== states[k - 2] ? alpha[k - 2] : null]);
          return all && all.add(lp[at(t, z, c)]);
        });
      }
      out.push(lengths[z] ? log_sum(alpha.slice(-2)) : sizes[z] ? null : new Num(0));
    }
    return { lp, out };
  };
  return { kind: "tape", f: ([x]) => run(x).out.map(v => v ? -v.v : zero_infinity ? 0 : Infinity),
    b: ([x], _, g) => { // PyTorch's: of the numbers whose log_softmax x is
      const { lp, out } = run(x);
      out.forEach((v, z) => { if (v) v.g -= g[z]; });
      read_backwards();
      return [x.map((v, k) => { const z = Math.floor(k / classes) % batch, inside = Math.floor(k / classes / batch) < lengths[z]; return inside && out[z] ? Math.exp(v) * g[z] + lp[k].g : 0; })];
    } };
}
