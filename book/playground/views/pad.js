"use strict";
window.repinf ??= {};

/* A pad to draw an image on: with a finger, a mouse, or the keyboard. */
repinf.Pad = class {
  static #RADIUS = 1.15; // of the pen, in pixels of the image

  /* changed: called with the image after each stroke. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.pixels = new Float32Array(784);
    this.pen = [14, 14];
    let last = null;
    const at = (event) => {
      const scale = 28 / canvas.clientWidth;
      return [event.offsetX * scale, event.offsetY * scale];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = at(event);
      this.stroke(last, last);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const here = at(event);
      this.stroke(last, here);
      last = here;
    });
    const lift = () => {
      if (last) this.changed(this.pixels);
      last = null;
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("keydown", (event) => this.#press(event));
    canvas.addEventListener("focus", () => this.show());
    canvas.addEventListener("blur", () => this.show());
  }

  /* Take an image to draw on; nothing is told. */
  open(pixels) {
    this.pixels = pixels.slice();
    this.show();
  }

  clear() {
    this.pixels.fill(0);
    this.show();
    this.changed(this.pixels);
  }

  /* Lines between points in pixels of the image, as if drawn by hand. */
  lines(points) {
    for (let i = 1; i < points.length; i++) this.stroke(points[i - 1], points[i]);
  }

  /* Ink along a straight line, soft at the edge. */
  stroke([x0, y0], [x1, y1]) {
    const length2 = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    for (let i = 0; i < 784; i++) {
      const [x, y] = [(i % 28) + 0.5, Math.floor(i / 28) + 0.5];
      const along = length2 ? ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length2 : 0;
      const share = Math.min(Math.max(along, 0), 1);
      const away = Math.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0));
      const ink = Math.min(Math.max(repinf.Pad.#RADIUS + 0.5 - away, 0), 1);
      this.pixels[i] = Math.max(this.pixels[i], ink);
    }
    this.show();
  }

  /* Draw the image, and the pen if the keyboard has it. */
  show() {
    repinf.pictures.paint(this.canvas, this.pixels);
    if (!this.canvas.matches(":focus-visible")) return;
    const context = this.canvas.getContext("2d");
    context.fillStyle = repinf.drawing.palette().memory;
    context.fillRect(this.pen[0], this.pen[1], 1, 1);
  }

  #press(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const centre = () => this.pen.map((value) => value + 0.5);
    if (event.key in moves) {
      this.pen = this.pen.map((v, c) => Math.min(Math.max(v + moves[event.key][c], 0), 27));
      this.show();
    } else if (event.key === " ") {
      this.stroke(centre(), centre());
      this.changed(this.pixels);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
};
