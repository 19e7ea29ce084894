"use strict";
window.repinf ??= {};

/* Distances in latent space (Euclidean). */
repinf.geometry = (() => {
  function distance(one, other) {
    let sum = 0;
    for (let i = 0; i < one.length; i++) sum += (one[i] - other[i]) ** 2;
    return Math.sqrt(sum);
  }

  /* The mean of several points. */
  function mean(points) {
    const total = new Float64Array(points[0].length);
    for (const point of points) for (let i = 0; i < total.length; i++) total[i] += point[i];
    return Float32Array.from(total, (value) => value / points.length);
  }

  /* Distances to a target from the chord, the straight segment z(0) -> z(T), at t = 0 ... T. */
  function chord(first, last, target, steps) {
    const at = (t) => first.map((value, i) => value + (t / steps) * (last[i] - value));
    return Array.from({ length: steps + 1 }, (_, t) => distance(at(t), target));
  }

  /* Index of the smallest of some numbers. */
  const nearest = (values) => values.reduce((best, v, k) => (v < values[best] ? k : best), 0);

  return { distance, mean, chord, nearest };
})();

/* Repeated inference from one image, with what the views show of it. */
repinf.Trial = class {
  /* network: a repinf.network.Network; clean, noisy: images; concepts: latents by label. */
  constructor(network, clean, noisy, concepts) {
    this.network = network;
    this.concepts = concepts;
    this.abstract = repinf.geometry.mean(concepts);
    this.memory = network.encode(clean);
    this.x = [noisy];
    this.z = [network.encode(noisy)];
    this.toConcepts = concepts.map(() => []);
    this.toMemory = [];
    this.toAbstract = [];
    this.stepLengths = [];
    this.#measure(this.z[0]);
  }

  /* The last t that has been computed. */
  get computed() {
    return this.z.length - 1;
  }

  /* One inference: x(t+1) from z(t), and z(t+1) from x(t+1). */
  step() {
    const before = this.z[this.computed];
    const x = this.network.decode(before);
    const z = this.network.encode(x);
    this.x.push(x);
    this.z.push(z);
    this.stepLengths.push(repinf.geometry.distance(z, before));
    this.#measure(z);
  }

  /* Distances from the chord z(0) -> z(steps) to the concept of a label, at t = 0 ... steps. */
  chord(steps, label) {
    const asked = `${steps} ${label}`;
    if (this.asked !== asked) {
      this.asked = asked;
      const { z, concepts } = this;
      this.distances = repinf.geometry.chord(z[0], z[steps], concepts[label], steps);
    }
    return this.distances;
  }

  /* Step until t = steps or for some milliseconds, whichever comes first. */
  advance(steps, milliseconds) {
    const end = performance.now() + milliseconds;
    while (this.computed < steps && performance.now() < end) this.step();
  }

  #measure(z) {
    const { distance } = repinf.geometry;
    for (const k of this.concepts.keys()) this.toConcepts[k].push(distance(z, this.concepts[k]));
    this.toMemory.push(distance(z, this.memory));
    this.toAbstract.push(distance(z, this.abstract));
  }
};
