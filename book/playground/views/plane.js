"use strict";
window.repinf ??= {};

/* The plane of the memories' two largest principal components. */
repinf.Plane = class {
  constructor(canvas) {
    this.canvas = canvas;
    // Both are drawn once; many trials lie between them.
    this.memories = document.createElement("canvas");
    this.concepts = document.createElement("canvas");
  }

  /* Show another landscape: concepts, memories and the plane they lie in. */
  open(landscape, names) {
    Object.assign(this, { landscape, names, drawn: null });
  }

  restyle() {
    this.drawn = null;
  }

  /* Coordinates of a latent state in the plane. */
  project(z) {
    const { mean, axes } = this.landscape;
    return axes.map((axis) => axis.reduce((sum, a, i) => sum + a * (z[i] - mean[i]), 0));
  }

  /* Draw at time t, between steps too.

     trial: a trial or null; crowd: many of them or null; label: that of the concept in question;
     far: the last t that has been shown. */
  draw({ t, trial, crowd, label, far }) {
    const { context, width, height } = repinf.drawing.sheet(this.canvas);
    if (!width) return;
    this.#fit(width, height);
    const size = `${this.canvas.width} ${this.canvas.height} ${label}`;
    if (this.drawn !== size) {
      this.#drawMemories(this.#layer(this.memories), width, height);
      this.#drawConcepts(this.#layer(this.concepts), label);
      this.drawn = size;
    }
    context.drawImage(this.memories, 0, 0, width, height);
    if (crowd && crowd.computed >= 0) this.#drawCrowd(context, crowd, t);
    context.drawImage(this.concepts, 0, 0, width, height);
    if (trial) this.#drawTrial(context, trial, t, far);
  }

  /* Fit the landscape into the canvas, with one scale for both axes. */
  #fit(width, height) {
    const { low, high } = this.landscape;
    const margin = 14;
    this.scale = Math.min(
      (width - 2 * margin) / (high[0] - low[0]),
      (height - 2 * margin) / (high[1] - low[1]),
    );
    this.origin = [
      width / 2 - (this.scale * (low[0] + high[0])) / 2,
      height / 2 + (this.scale * (low[1] + high[1])) / 2,
    ];
  }

  /* Place on the canvas of a point in the plane. */
  #place([across, up]) {
    return [this.origin[0] + this.scale * across, this.origin[1] - this.scale * up];
  }

  /* Points of a trial in the plane, each computed once. */
  #pointsOf(trial) {
    if (this.followed !== trial) Object.assign(this, { followed: trial, points: [] });
    for (let t = this.points.length; t <= trial.computed; t++) {
      this.points.push(this.project(trial.z[t]));
    }
    return this.points;
  }

  /* The context of an empty canvas as large as this one, in CSS pixels. */
  #layer(canvas) {
    const density = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: this.canvas.width, height: this.canvas.height });
    const context = canvas.getContext("2d");
    context.scale(density, density);
    return context;
  }

  #drawMemories(context, width, height) {
    const colours = repinf.drawing.palette();
    const { memories, memoriesPerLabel, concepts } = this.landscape;
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, width, height);
    context.globalAlpha = 0.32;
    for (let i = 0; i < memories.length / 2; i++) {
      // One of each label after the other, so that no label lies on top.
      const [k, j] = [i % concepts.length, Math.floor(i / concepts.length)];
      const at = 2 * (k * memoriesPerLabel + j);
      const [x, y] = this.#place(memories.subarray(at, at + 2));
      context.fillStyle = colours.labels[k];
      context.beginPath();
      context.arc(x, y, 1.8, 0, 2 * Math.PI);
      context.fill();
    }
  }

  #drawConcepts(context, label) {
    const { concepts } = this.landscape;
    context.font = `600 ${repinf.drawing.palette().font}`;
    const halves = this.names.map((name) => Math.max(10, context.measureText(name).width / 2 + 6));
    const places = concepts.map((concept) => this.#place(this.project(concept)));
    const labels = repinf.Plane.#apart(places, halves);
    for (const k of concepts.keys()) {
      if (k !== label) this.#drawConcept(context, k, places[k], labels[k], halves[k], false);
    }
    if (label >= 0)
      this.#drawConcept(context, label, places[label], labels[label], halves[label], true);
  }

  /* Places for labels near the given ones, so that none covers another. */
  static #apart(places, halves) {
    const labels = places.map((place) => [...place]);
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < labels.length; i++) {
        for (let j = 0; j < i; j++) {
          const [dx, dy] = [labels[i][0] - labels[j][0], labels[i][1] - labels[j][1]];
          const across = halves[i] + halves[j] + 3 - Math.abs(dx);
          const along = 24 - Math.abs(dy);
          if (across <= 0 || along <= 0) continue;
          const c = across < along ? 0 : 1; // the shorter way apart
          const way = ((c ? along : across) / 2) * ((c ? dy : dx) < 0 ? -1 : 1);
          labels[i][c] += way;
          labels[j][c] -= way;
        }
      }
    }
    return labels;
  }

  /* A concept: its name in a circle, which a line leads to its place if that is elsewhere. */
  #drawConcept(context, k, place, [x, y], half, chosen) {
    const { labels, paper, ink, concept, font } = repinf.drawing.palette();
    Object.assign(context, { strokeStyle: labels[k], fillStyle: labels[k], lineWidth: 1.5 });
    context.beginPath();
    context.moveTo(...place);
    context.lineTo(x, y);
    context.stroke();
    context.beginPath();
    context.arc(...place, 3, 0, 2 * Math.PI);
    context.fill();
    context.beginPath();
    context.roundRect(x - half, y - 10, 2 * half, 20, 10);
    context.fillStyle = paper;
    context.fill();
    context.lineWidth = chosen ? 2.5 : 1.5;
    context.stroke();
    if (chosen) {
      context.beginPath();
      context.roundRect(x - half - 4, y - 14, 2 * half + 8, 28, 14);
      Object.assign(context, { strokeStyle: concept, lineWidth: 2 });
      context.stroke();
    }
    Object.assign(context, { fillStyle: ink, textAlign: "center", textBaseline: "middle" });
    context.font = `600 ${font}`;
    context.fillText(this.names[k], x, y + 0.5);
  }

  #drawCrowd(context, crowd, t) {
    const { many } = repinf.drawing.palette();
    const at = Math.min(t, crowd.computed);
    const [before, after] = [Math.floor(at), Math.ceil(at)];
    const [past, from, to] = [Math.max(before - 1, 0), before, after].map((s) => crowd.points[s]);
    const share = at - before;
    const tails = new Path2D();
    const heads = [];
    for (let i = 0; i < from.length; i += 2) {
      const [across, up] = [0, 1].map((c) => from[i + c] + share * (to[i + c] - from[i + c]));
      const [x, y] = this.#place([across, up]);
      tails.moveTo(...this.#place([past[i], past[i + 1]]));
      tails.lineTo(...this.#place([from[i], from[i + 1]]));
      tails.lineTo(x, y);
      heads.push([x, y]);
    }
    Object.assign(context, { strokeStyle: many, lineWidth: 1, globalAlpha: 0.35 });
    context.stroke(tails);
    // One after the other, so that it is darkest where they gather.
    Object.assign(context, { fillStyle: many, globalAlpha: 0.55 });
    for (const [x, y] of heads) {
      context.beginPath();
      context.arc(x, y, 3.2, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  #drawTrial(context, trial, t, far) {
    const { ink, paper, memory } = repinf.drawing.palette();
    const end = Math.min(t, trial.computed);
    const whole = Math.floor(end);
    const points = this.#pointsOf(trial).slice(0, Math.min(far, trial.computed) + 1);
    const places = points.map((point) => this.#place(point));
    const next = places[Math.min(whole + 1, places.length - 1)];
    const head = places[whole].map((v, c) => v + (end - whole) * (next[c] - v));

    const follow = (path, alpha) => {
      for (const [colour, lineWidth] of [
        [paper, 4],
        [ink, 1.8],
      ]) {
        Object.assign(context, { globalAlpha: alpha, strokeStyle: colour, lineWidth });
        context.lineJoin = "round";
        context.beginPath();
        for (const place of path) context.lineTo(...place);
        context.stroke();
      }
      context.globalAlpha = 1;
    };
    const disc = ([x, y], radius, fill) => {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
    };

    this.#drawMemory(context, this.#place(this.project(trial.memory)), memory, paper);
    follow(places.slice(whole), 0.25);
    follow([...places.slice(0, whole + 1), head], 1);
    let last = places[0]; // the last one with a dot: short steps are a line
    for (const place of places.slice(1, whole + 1)) {
      if (Math.hypot(place[0] - last[0], place[1] - last[1]) < 6) continue;
      disc(place, 2.6, ink);
      last = place;
    }
    disc(places[0], 6, ink);
    disc(places[0], 3.5, paper); // z(0) is a ring
    disc(head, 8, paper);
    disc(head, 6.5, ink);
  }

  /* The memory of the clean image: a square that stands on its corner. */
  #drawMemory(context, [x, y], colour, paper) {
    context.beginPath();
    context.moveTo(x, y - 8);
    for (const [dx, dy] of [
      [8, 0],
      [0, 8],
      [-8, 0],
    ])
      context.lineTo(x + dx, y + dy);
    context.closePath();
    Object.assign(context, { fillStyle: colour, strokeStyle: paper, lineWidth: 1.5 });
    context.fill();
    context.stroke();
  }
};
