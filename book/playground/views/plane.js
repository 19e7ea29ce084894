"use strict";
window.repinf ??= {};

/* The plane of the memories' two largest principal components. */
repinf.Plane = class {
  constructor(canvas) {
    this.canvas = canvas;
    this.ground = document.createElement("canvas"); // memories and concepts, drawn once
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
    const size = `${this.canvas.width} ${this.canvas.height} ${label}`;
    if (this.drawn !== size) {
      this.#drawGround(width, height, label);
      this.drawn = size;
    }
    context.drawImage(this.ground, 0, 0, width, height);
    if (crowd && crowd.computed >= 0) this.#drawCrowd(context, crowd, t);
    if (trial) this.#drawTrial(context, trial, t, far);
  }

  /* Place on the canvas of a point in the plane; one scale for both axes. */
  #place(point) {
    const { low, high } = this.landscape;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const margin = 14;
    const scale = Math.min(
      (width - 2 * margin) / (high[0] - low[0]),
      (height - 2 * margin) / (high[1] - low[1]),
    );
    return [
      width / 2 + scale * (point[0] - (low[0] + high[0]) / 2),
      height / 2 - scale * (point[1] - (low[1] + high[1]) / 2),
    ];
  }

  #drawGround(width, height, label) {
    const colours = repinf.drawing.palette();
    const { memories, memoriesPerLabel, concepts } = this.landscape;
    const density = window.devicePixelRatio || 1;
    Object.assign(this.ground, { width: this.canvas.width, height: this.canvas.height });
    const context = this.ground.getContext("2d");
    context.scale(density, density);
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
    context.globalAlpha = 1;
    context.font = `600 ${colours.font}`;
    const halves = this.names.map((name) => Math.max(10, context.measureText(name).width / 2 + 6));
    const places = concepts.map((concept) => this.#place(this.project(concept)));
    const labels = repinf.Plane.#apart(places, halves);
    for (const k of concepts.keys()) {
      if (k !== label) this.#drawConcept(context, k, places[k], labels[k], halves[k], false);
    }
    if (label >= 0) this.#drawConcept(context, label, places[label], labels[label], halves[label], true);
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
    const { many, paper } = repinf.drawing.palette();
    const at = Math.min(t, crowd.computed);
    const [before, after] = [Math.floor(at), Math.ceil(at)];
    const share = at - before;
    const [from, to] = [crowd.points[before], crowd.points[after]];
    const past = crowd.points[Math.max(before - 1, 0)];
    context.lineWidth = 1;
    for (let k = 0; k < crowd.count; k++) {
      const point = [0, 1].map((c) => from[2 * k + c] + share * (to[2 * k + c] - from[2 * k + c]));
      const [x, y] = this.#place(point);
      context.globalAlpha = 0.35;
      context.strokeStyle = many;
      context.beginPath();
      context.moveTo(...this.#place(past.subarray(2 * k, 2 * k + 2)));
      context.lineTo(...this.#place(from.subarray(2 * k, 2 * k + 2)));
      context.lineTo(x, y);
      context.stroke();
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(x, y, 3.2, 0, 2 * Math.PI);
      context.fillStyle = many;
      context.fill();
      context.strokeStyle = paper;
      context.stroke();
    }
  }

  #drawTrial(context, trial, t, far) {
    const { ink, paper, memory } = repinf.drawing.palette();
    const end = Math.min(t, trial.computed);
    const whole = Math.floor(end);
    const points = trial.z.slice(0, Math.min(far, trial.computed) + 1).map((z) => this.project(z));
    const places = points.map((point) => this.#place(point));
    const next = places[Math.min(whole + 1, places.length - 1)];
    const head = places[whole].map((v, c) => v + (end - whole) * (next[c] - v));

    const follow = (path, alpha) => {
      for (const [colour, lineWidth] of [[paper, 4], [ink, 1.8]]) {
        Object.assign(context, { globalAlpha: alpha, strokeStyle: colour, lineWidth });
        context.lineJoin = "round";
        context.beginPath();
        path.forEach((place, i) => (i ? context.lineTo(...place) : context.moveTo(...place)));
        context.stroke();
      }
      context.globalAlpha = 1;
    };
    const dot = ([x, y], radius, fill) => {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      Object.assign(context, { fillStyle: fill, strokeStyle: paper, lineWidth: 1.5 });
      context.fill();
      context.stroke();
    };

    follow(places.slice(whole), 0.25);
    follow([...places.slice(0, whole + 1), head], 1);
    for (const place of places.slice(0, whole + 1)) dot(place, 2.6, ink);
    this.#drawMemory(context, this.#place(this.project(trial.memory)), memory, paper);
    dot(head, 6.5, ink);
  }

  /* The memory of the clean image: a square that stands on its corner. */
  #drawMemory(context, [x, y], colour, paper) {
    context.beginPath();
    context.moveTo(x, y - 8);
    for (const [dx, dy] of [[8, 0], [0, 8], [-8, 0]]) context.lineTo(x + dx, y + dy);
    context.closePath();
    Object.assign(context, { fillStyle: colour, strokeStyle: paper, lineWidth: 1.5 });
    context.fill();
    context.stroke();
  }
};
