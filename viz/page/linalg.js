// ---- linear algebra: solved here by elimination, on numbers that remember what they were made of (tape.js) -----------
const grid = (rows, columns, f) => Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => f(r, c)));
const identity = n => grid(n, n, (r, c) => new Num(+(r === c)));
const flipped = A => grid(A[0].length, A.length, (r, c) => A[c][r]);
const added_up = list => list.reduce((a, b) => a.add(b));
const times_matrix = (A, B) => grid(A.length, B[0].length, (r, c) => added_up(A[r].map((a, k) => a.mul(B[k][c]))));
const numeric = (A, f) => A.map(row => row.map(f));
// A X = B by Gauss and Jordan: in each column the row with the largest element comes first.
function eliminated(A, B) {
  const a = A.map((row, r) => [...row, ...B[r]]), n = A.length, pivots = [];
  let sign = 1;
  for (let c = 0; c < n; c++) {
    let best = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(a[r][c].v) > Math.abs(a[best][c].v)) best = r;
    if (best !== c) { [a[c], a[best]] = [a[best], a[c]]; sign = -sign; }
    pivots.push(a[c][c]);
    const by = a[c][c];
    a[c] = a[c].map((x, k) => k < c ? x : x.div(by));
    for (let r = 0; r < n; r++) if (r !== c) { const f = a[r][c]; a[r] = a[r].map((x, k) => k < c ? x : x.sub(f.mul(a[c][k]))); }
  }
  return { X: a.map(row => row.slice(n)), pivots, sign };
}
const solution = (A, B) => eliminated(A, B).X;
function cholesky_of(A) {
  const L = grid(A.length, A.length, () => null);
  for (let r = 0; r < A.length; r++) for (let c = 0; c < A.length; c++) {
    if (c > r) { L[r][c] = new Num(0); continue; }
    let rest = A[r][c];
    for (let k = 0; k < c; k++) rest = rest.sub(L[r][k].mul(L[c][k]));
    L[r][c] = r === c ? rest.sqrt() : rest.div(L[c][c]);
  }
  return L;
}
// L and U in one matrix, by LAPACK's way: of each column the largest element comes first, if it may.
const factored = pivot => A => {
  const a = [...A.map(row => [...row])], columns = a[0].length, order = a.map((_, r) => r);
  for (let c = 0; c < Math.min(a.length, columns); c++) {
    let best = c;
    for (let r = c + 1; r < a.length && pivot; r++) if (Math.abs(a[r][c].v) > Math.abs(a[best][c].v)) best = r;
    [a[c], a[best], order[c], order[best]] = [a[best], a[c], order[best], order[c]];
    for (let r = c + 1; r < a.length; r++) {
      const by = a[r][c].div(a[c][c]);
      a[r] = a[r].map((x, k) => k < c ? x : k === c ? by : x.sub(by.mul(a[c][k])));
    }
  }
  return Object.assign([a], { order: String(order) });
};
const triangle = (A, upper, unit) => grid(A.length, A.length, (r, c) => r === c && unit ? new Num(1) : (upper ? c >= r : c <= r) ? A[r][c] : new Num(0));
// exp A = (1 + A/2ˢ + (A/2ˢ)²/2! + ...) to the power 2ˢ
function exponential(A) {
  const size = Math.max(...A.map(row => plus_all(row.map(x => Math.abs(x.v))))), s = Math.max(0, Math.ceil(Math.log2(size || 1)) + 3), small = numeric(A, x => x.mul(new Num(2 ** -s)));
  let out = identity(A.length), term = out;
  for (let k = 1; k <= 12; k++) {
    term = numeric(times_matrix(term, small), x => x.div(new Num(k)));
    out = out.map((row, r) => row.map((x, c) => x.add(term[r][c])));
  }
  for (let k = 0; k < s; k++) out = times_matrix(out, out);
  return out;
}
// A = Q R by Householder's reflections, with LAPACK's signs.
function orthogonal(A) {
  const m = A.length, n = A[0].length, k = Math.min(m, n);
  let R = A, Q = identity(m);
  for (let c = 0; c < Math.min(n, m - 1); c++) {
    const x = R.slice(c).map(row => row[c]);
    if (x.slice(1).every(v => v.v === 0)) continue;
    const length = added_up(x.map(v => v.mul(v))).sqrt(), u = [x[0].v > 0 ? x[0].add(length) : x[0].sub(length), ...x.slice(1)], size = added_up(u.map(v => v.mul(v)));
    const two = new Num(2), mirrored = M => { // M − 2 u (uᵀ M) / uᵀu, from row c on
      const low = M.slice(c), by = low[0].map((_, j) => added_up(u.map((v, r) => v.mul(low[r][j]))).mul(two).div(size));
      return [...M.slice(0, c), ...low.map((row, r) => row.map((v, j) => v.sub(u[r].mul(by[j]))))];
    };
    R = mirrored(R);
    Q = mirrored(Q);
  }
  return [flipped(Q).map(row => row.slice(0, k)), R.slice(0, k).map((row, r) => row.map((v, c) => c < r ? new Num(0) : v))];
}
// Eigenvalues, growing, and vectors of a symmetric matrix, by Jacobi's rotations; a vector's sign is that of `like`.
function spectrum(A, like) {
  const n = A.length, a = grid(n, n, (r, c) => (A[r][c].v + A[c][r].v) / 2), V = grid(n, n, (r, c) => +(r === c));
  const turn = (M, p, q, c, s) => { for (const row of M) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]]; };
  for (let sweep = 0; sweep < 30; sweep++) for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) {
    if (a[p][q] === 0) continue;
    const angle = Math.atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2, c = Math.cos(angle), s = Math.sin(angle);
    turn(a, p, q, c, s);
    for (let k = 0; k < n; k++) [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
    turn(V, p, q, c, s);
  }
  const order = [...Array(n).keys()].sort((p, q) => a[p][p] - a[q][q]), L = order.map(p => a[p][p]);
  const X = order.map((p, k) => { const v = V.map(row => row[p]), along = like ? plus_all(v.map((x, r) => x * like[r * n + k])) : 1; return v.map(x => along < 0 ? -x : x); });
  const pull = f => A.flatMap((row, r) => row.map((x, c) => [x, (f(r, c) + f(c, r)) / 2]));
  const values = L.map((v, i) => new Num(v, pull((r, c) => X[i][r] * X[i][c])));
  const vectors = grid(n, n, (k, i) => new Num(X[i][k], pull((r, c) => plus_all(X.map((x, j) => j === i ? 0 : x[k] * x[r] * X[i][c] / (L[i] - L[j]))))));
  return [values, vectors];
}
// A = U S Vᵀ from the spectrum of AᵀA, or of AAᵀ where that is smaller; its values then come the other way round.
function singular(A, like) {
  if (A.length < A[0].length) {
    const [V, S, Ut] = singular(flipped(A), like && [like[2] && turned_over(like[2], A.length, A[0].length), null, null]);
    return [flipped(Ut), S, flipped(V)];
  }
  const n = A[0].length, own = like?.[2] && turned_over(like[2], n, n), last = own && Array.from(own, (_, k) => own[Math.floor(k / n) * n + n - 1 - k % n]);
  const [values, vectors] = spectrum(times_matrix(flipped(A), A), last), S = values.map(v => v.sqrt()).reverse(), V = vectors.map(row => [...row].reverse());
  return [numeric(times_matrix(A, V), x => x).map(row => row.map((x, k) => x.div(S[k]))), [S], flipped(V)];
}
const turned_over = (a, rows, columns) => grid(columns, rows, (c, r) => a[r * columns + c]).flat();
// What each function gives: a list of matrices, one for each of its results. Where it has arguments that the page
// does not know, there are several; the one counts that gives the program's value.
const whole = f => [(...M) => [f(...M)]];
const ALGEBRA_OF = {
  inv: whole(A => solution(A, identity(A.length))),
  solve: whole(solution),
  det: whole(A => { const { pivots, sign } = eliminated(A, identity(A.length)); return [[pivots.reduce((a, b) => a.mul(b), new Num(sign))]]; }),
  slogdet: [A => { const { pivots, sign } = eliminated(A, identity(A.length)); return [[[new Num(pivots.reduce((s, p) => s * Math.sign(p.v), sign))]], [[added_up(pivots.map(p => p.log_size()))]]]; }],
  cholesky: whole(cholesky_of),
  choleskysolve: whole((B, L) => solution(times_matrix(L, flipped(L)), B)),
  solvetriangular: [[false, false], [true, false], [false, true], [true, true]].map(flags => (A, B) => [solution(triangle(A, ...flags), B)]),
  pinv: whole(A => A.length < A[0].length ? times_matrix(flipped(A), solution(times_matrix(A, flipped(A)), identity(A.length))) : solution(times_matrix(flipped(A), A), flipped(A))),
  lstsq: whole((A, B) => solution(times_matrix(flipped(A), A), times_matrix(flipped(A), B))),
  matrixexp: whole(exponential),
  qr: [orthogonal],
  lu: [factored(true), factored(false)],
  eigh: [(A, like) => { const [values, vectors] = spectrum(A, like?.[1]); return [[values], vectors]; }],
  svd: [singular],
};
const LARGEST_MATRIX = 12;
function algebra(i) {
  const n = N[i], shapes = n.i.map(shapeOf), lead = String(shapes[0].slice(0, -2)), many = sizeOf(shapes[0].slice(0, -2));
  if (shapes.some(s => s.length < 2 || String(s.slice(0, -2)) !== lead || Math.max(...s.slice(-2)) > LARGEST_MATRIX)) return null;
  const parts_of = N.filter(o => o.op === "output" && N[o.i[0]] === n), known = parts_of.length ? Array.from({ length: 3 }, (_, k) => elements(parts_of.find(o => o.q.index === k)?.v)) : null;
  const run = (form, W) => { // the tape of each matrix of a batch, its operands and its results
    const out = [];
    for (let z = 0; z < many; z++) {
      tape = [];
      const M = W.map((x, q) => { const [rows, columns] = shapes[q].slice(-2); return grid(rows, columns, (r, c) => new Num(x[(z * rows + r) * columns + c])); });
      out.push({ M, made: form(...M, known && known.map((x, part) => x && x.slice(z * x.length / many, (z + 1) * x.length / many))), tape });
    }
    return out;
  };
  const results_of = made => made[0].made.flatMap((_, part) => made.flatMap(m => m.made[part].flat().map(x => x.v)));
  const given = n.i.map(j => elements(N[j].v)), near = values => { const own = elements(n.v), top = Math.max(1, ...own.map(Math.abs)); return values.every((v, k) => Math.abs(v - own[k]) <= 1e-4 * top); };
  const form = ALGEBRA_OF[n.op].find((form, k, all) => all.length === 1 || near(results_of(run(form, given))));
  if (!form) return null;
  const first = run(form, given), sizes = first[0].made.map(A => many * A.flat().length), orders = made => String(made.map(m => m.made.order));
  const l = { kind: "algebra", sizes, f: W => { const made = run(form, W); l.turned = orders(made) !== orders(first); return results_of(made); }, b: (W, _, g) => {
    const back = W.map(() => []);
    run(form, W).forEach(({ M, made, tape }, z) => {
      let first = 0;
      made.forEach((A, part) => { const own = A.flat(), from = first + z * own.length; own.forEach((x, k) => { x.g += g[from + k] || 0; }); first += sizes[part]; });
      read_backwards();
      M.forEach((A, q) => back[q].push(...A.flat().map(x => x.g)));
    });
    return back;
  } };
  return l;
}
const ALGEBRA = Object.fromEntries(Object.keys(ALGEBRA_OF).map(name => [name, algebra]));
