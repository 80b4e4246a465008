// ---- normalisation: each group of elements less its mean, over its deviation; then weight and bias ------------------------
// x̂ = (x − μ) / √(σ² + ε), y = x̂ w + b. Its cells are told in these words, and not as one long sum.
const of_group = split => (i, { eps, ndim, group }) => {
  const x = shapeOf(N[i].i[0]), [which, place] = split(x, ndim ?? group), count = Math.max(...which) + 1, n = which.length / count;
  const means = a => { const m = Array(count).fill(0); which.forEach((z, k) => { m[z] += a[k] / n; }); return m; };
  const about = ([X]) => { const mu = means(X), vary = means(X.map((v, k) => (v - mu[which[k]]) ** 2)), root = vary.map(v => Math.sqrt(v + eps)); return { mu, vary, root, hat: X.map((v, k) => (v - mu[which[k]]) / root[which[k]]) }; };
  const by = (w, k) => w ? w[place(k)] : 1, pulled = (W, g) => g.map((v, k) => v * by(W[1], k));
  const into = (a, size) => { const out = Array(size).fill(0); a.forEach((v, k) => { out[place(k)] += v; }); return out; };
  const l = { kind: "norm",
    f: W => { const { hat } = about(W); return hat.map((v, k) => v * by(W[1], k) + (W[2] ? W[2][place(k)] : 0)); },
    b: (W, _, g) => {
      const { root, hat } = about(W), p = pulled(W, g), m = means(p), mh = means(p.map((v, k) => v * hat[k]));
      return [p.map((v, k) => (v - m[which[k]] - hat[k] * mh[which[k]]) / root[which[k]]), ...W[1] ? [into(g.map((v, k) => v * hat[k]), W[1].length)] : [], ...W[2] ? [into(g, W[2].length)] : []];
    },
    told: (p, k) => {
      const W = N[i].i.map(j => elements(now.V[j])), g = elements(now.measured ? now.G[i] : N[i].G), { mu, vary, root, hat } = about(W), names = operand_names(i), up = `∂${N[top_of(i)].n}/∂${N[i].n}`;
      const own = which.flatMap((z, e) => z === which[k] ? [e] : []), u = W[1] ? `${called(names[1], place(k), shapeOf(N[i].i[1]))}` : "", c = W[2] ? ` + ${called(names[2], place(k), shapeOf(N[i].i[2]))}` : "";
      const scaled = [`μ = ${short(mu[which[k]])} and σ² = ${short(vary[which[k]])}, of ${n} elements`, `x̂ = (${short(W[0][k])} − ${signed_short(mu[which[k]])}) / √(${short(vary[which[k]])} + ${scientific(eps)}) = ${short(hat[k])}`];
      if (p == null) return [[`${called(N[i].n, k, x)} = x̂${u ? `·${u}` : ""}${c}`, ...scaled, ...u ? [`${short(hat[k])} · ${signed_short(by(W[1], k))}${c ? ` + ${signed_short(W[2][place(k)])}` : ""}`] : [], `= ${short(l.f(W)[k])}`], [own, ...W.slice(1).map(() => [place(k)]), []]];
      const left = `${called(`∂${N[top_of(i)].n}/∂${names[p]}`, k, shapeOf(N[i].i[p]))}`;
      if (p > 0) {
        const all = g.flatMap((_, e) => place(e) === k ? [e] : []), terms = all.map(e => p === 1 ? g[e] * hat[e] : g[e]), few = all.length <= WRITTEN;
        return [[`${left} = Σ ${up}${p === 1 ? " · x̂" : ""}, of ${all.length} elements`, ...few ? [all.map((e, q) => p === 1 ? `${signed_short(g[e])} · ${signed_short(hat[e])}` : signed_short(terms[q])).join(" + ")] : [], `= ${short(plus_all(terms))}`], [p === 1 ? all : [], [], [], all].slice(0, W.length).concat([all])];
      }
      const s = pulled(W, g), m = means(s)[which[k]], mh = means(s.map((v, e) => v * hat[e]))[which[k]];
      return [[`${left} = (γ − mean of γ − x̂ · mean of γ·x̂) / √(σ² + ε)`, `γ = ${up}${u ? ` · ${u}` : ""} = ${short(s[k])}, its mean is ${short(m)}, that of γ·x̂ ${short(mh)}`, scaled[1], `(${short(s[k])} − ${signed_short(m)} − ${signed_short(hat[k])} · ${signed_short(mh)}) / ${short(root[which[k]])}`, `= ${short((s[k] - m - hat[k] * mh) / root[which[k]])}`], [own, ...W.slice(1).map((_, q) => q === 0 ? [place(k)] : []), own]];
    } };
  return l;
};
const NORMS = {
  layer_norm: of_group((x, ndim) => { const inner = sizeOf(x.slice(x.length - ndim)); return [Array.from({ length: sizeOf(x) }, (_, k) => Math.floor(k / inner)), k => k % inner]; }),
  group_norm: of_group((x, group) => { const inner = sizeOf(x.slice(2)), size = inner * x[1] / group; return [Array.from({ length: sizeOf(x) }, (_, k) => Math.floor(k / size)), k => Math.floor(k / inner) % x[1]]; }),
  batch_norm: of_group(x => { const inner = sizeOf(x.slice(2)), channel = k => Math.floor(k / inner) % x[1]; return [Array.from({ length: sizeOf(x) }, (_, k) => channel(k)), channel]; }),
};
