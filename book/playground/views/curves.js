"use strict";
window.repinf ??= {};

/* Curves against time. */
repinf.Curves = class {
  static #LEAST = 1e-6; // on a logarithmic axis: below it float32 only rounds
  static #MARGIN = { left: 38, right: 16, top: 8, bottom: 34 };

  /* seek: called with the time that a reader points at. */
  constructor(canvas, seek) {
    this.canvas = canvas;
    this.steps = 100;
    this.axes = { left: 0, right: 1 };
    const point = (event) => {
      const { left, right } = this.axes;
      const place = (event.offsetX - left) / (right - left);
      seek(Math.round(repinf.drawing.timeAt(place, this.steps)));
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      point(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) point(event);
    });
  }

  /* curves: [{values by t, colour, width, dash, alpha, name}]; logarithmic: the vertical axis.

     What lies after t is pale. */
  draw({ curves, steps, t, logarithmic = false }) {
    this.steps = steps;
    const { context, width, height } = repinf.drawing.sheet(this.canvas);
    if (!width) return;
    context.font = repinf.drawing.palette().font;
    const wide = curves.map(({ name }) => (name ? context.measureText(name).width + 13 : 0));
    const room = { width: width - Math.max(0, ...wide), height };
    const axes = this.#axes(room, curves, steps, logarithmic);
    this.axes = axes;
    this.#drawAxes(context, axes, steps);
    for (const curve of curves) this.#drawCurve(context, axes, curve, t);
    this.#drawNames(context, axes, curves);
    this.#drawNow(context, axes, curves, t);
  }

  #axes({ width, height }, curves, steps, logarithmic) {
    const { left, right, top, bottom } = repinf.Curves.#MARGIN;
    const all = curves.flatMap((curve) => curve.values);
    const raw = logarithmic ? (v) => Math.log10(Math.max(v, repinf.Curves.#LEAST)) : (v) => v;
    const found = all.map(raw);
    const high = found.length ? Math.max(...found) : 1;
    const low = logarithmic ? Math.floor(Math.min(...found, 0)) : 0;
    const span = logarithmic ? Math.max(Math.ceil(high) - low, 1) : 1.06 * high || 1;
    const inner = width - left - right;
    return {
      low,
      span,
      logarithmic,
      left,
      top,
      right: left + inner,
      bottom: height - bottom,
      x: (t) => left + inner * repinf.drawing.placeOf(t, steps),
      y: (value) => height - bottom - ((raw(value) - low) / span) * (height - top - bottom),
    };
  }

  #drawAxes(context, axes, steps) {
    const { text, border, font } = repinf.drawing.palette();
    Object.assign(context, { font, fillStyle: text, strokeStyle: border, lineWidth: 1 });
    context.textBaseline = "middle";
    context.textAlign = "right";
    const every = repinf.Curves.#spacing(axes.span, axes.logarithmic);
    for (let value = axes.low; value <= axes.low + axes.span + 1e-9; value += every) {
      const y = axes.bottom - ((value - axes.low) / axes.span) * (axes.bottom - axes.top);
      context.beginPath();
      context.moveTo(axes.left, y);
      context.lineTo(axes.right, y);
      context.stroke();
      const shown = axes.logarithmic ? repinf.Curves.#power(value) : String(+value.toFixed(1));
      context.fillText(shown, axes.left - 6, y);
    }
    context.textAlign = "center";
    const ticks = [0, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((t) => t <= steps);
    let free = Number.NEGATIVE_INFINITY; // where there is room for the next number
    for (const t of ticks) {
      const half = context.measureText(String(t)).width / 2;
      if (axes.x(t) - half < free) continue;
      context.fillText(String(t), axes.x(t), axes.bottom + 11);
      free = axes.x(t) + half + 4;
    }
    context.fillText("t (steps)", (axes.left + axes.right) / 2, axes.bottom + 26);
  }

  static #spacing(span, logarithmic) {
    if (logarithmic) return Math.ceil(span / 5);
    const rough = 10 ** Math.floor(Math.log10(span / 4));
    return [1, 2, 5, 10].map((m) => m * rough).find((every) => span / every <= 5);
  }

  static #power(exponent) {
    const digits = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷" };
    const signs = [...String(exponent)].map((sign) => digits[sign] ?? "");
    return exponent === 0 ? "1" : `10${signs.join("")}`;
  }

  #drawCurve(context, axes, { values, colour, width = 1, dash = [], alpha = 1 }, t) {
    if (!values.length) return;
    const stroke = (from, to, opacity) => {
      Object.assign(context, { strokeStyle: colour, lineWidth: width, globalAlpha: opacity });
      context.lineJoin = "round";
      context.setLineDash(dash);
      context.beginPath();
      for (let i = from; i <= to; i++) {
        if (i === from) context.moveTo(axes.x(i), axes.y(values[i]));
        else context.lineTo(axes.x(i), axes.y(values[i]));
      }
      context.stroke();
      context.setLineDash([]);
      context.globalAlpha = 1;
    };
    const now = Math.min(Math.floor(t), values.length - 1);
    stroke(now, values.length - 1, 0.28 * alpha);
    stroke(0, now, alpha);
  }

  /* Names at the curves' ends, pushed apart where they would meet. */
  #drawNames(context, axes, curves) {
    const named = curves
      .filter((curve) => curve.name && curve.values.length)
      .map((curve) => ({ ...curve, y: axes.y(curve.values[curve.values.length - 1]) }))
      .sort((a, b) => a.y - b.y);
    for (let round = 0; round < 40; round++) {
      for (let i = 1; i < named.length; i++) {
        const lacks = Math.max(12 - (named[i].y - named[i - 1].y), 0) / 2;
        named[i - 1].y -= lacks;
        named[i].y += lacks;
      }
    }
    context.textAlign = "left";
    context.textBaseline = "middle";
    const { font, text } = repinf.drawing.palette();
    const end = axes.x(Math.max(0, ...named.map(({ values }) => values.length - 1)));
    for (const { y, name, colour, width } of named) {
      Object.assign(context, { fillStyle: colour, font: width > 2 ? `700 ${font}` : font });
      context.fillRect(end + 3, y - 1, 6, 2.5);
      context.fillStyle = text;
      context.fillText(name, end + 12, y);
    }
  }

  #drawNow(context, axes, curves, t) {
    const { text, paper } = repinf.drawing.palette();
    Object.assign(context, { strokeStyle: text, lineWidth: 1, globalAlpha: 0.6 });
    context.beginPath();
    context.moveTo(axes.x(t), axes.top);
    context.lineTo(axes.x(t), axes.bottom);
    context.stroke();
    context.globalAlpha = 1;
    for (const { values, colour, width } of curves) {
      if (!(width > 1.4) || Math.ceil(t) >= values.length) continue;
      const before = values[Math.floor(t)];
      const value = before + (t % 1) * (values[Math.ceil(t)] - before);
      context.beginPath();
      context.arc(axes.x(t), axes.y(value), 4, 0, 2 * Math.PI);
      Object.assign(context, { fillStyle: colour, strokeStyle: paper, lineWidth: 1.5 });
      context.fill();
      context.stroke();
    }
  }
};
