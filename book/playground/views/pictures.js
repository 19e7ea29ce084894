"use strict";
window.repinf ??= {};

/* Images of 784 intensities, drawn in ink on paper. */
repinf.pictures = (() => {
  function rgb(colour) {
    const value = Number.parseInt(colour.slice(1), 16);
    return [value >> 16, (value >> 8) & 255, value & 255];
  }

  /* Draw an image, or a mixture of it and a share of another one. */
  function paint(canvas, image, other = image, share = 0) {
    const { paper, ink } = repinf.drawing.palette();
    const [from, to] = [rgb(paper), rgb(ink)];
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(28, 28);
    for (let i = 0; i < 784; i++) {
      const value = image[i] + share * (other[i] - image[i]);
      for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = from[c] + value * (to[c] - from[c]);
      pixels.data[4 * i + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  }

  /* A button with an image. */
  function button(image, name, press) {
    const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
    canvas.setAttribute("aria-hidden", "true");
    paint(canvas, image);
    const made = document.createElement("button");
    made.type = "button";
    made.setAttribute("aria-label", name);
    made.append(canvas);
    made.addEventListener("click", press);
    return made;
  }

  /* The times of the strip: every step at first, then fewer and fewer. */
  const TIMES = [0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000];

  /* The strip of past images, each of which leads back to its time. */
  class Strip {
    constructor(box, seek) {
      this.box = box;
      this.seek = seek;
      this.buttons = new Map();
    }

    /* Show the images of the times up to t, with room for those up to t = steps. */
    show(trial, t, steps) {
      this.box.style.setProperty("--pg-times", TIMES.filter((time) => time <= steps).length);
      const times = TIMES.filter((time) => time <= t);
      for (const [time, made] of this.buttons) {
        if (times.includes(time) && made.trial === trial) continue;
        const focused = made === document.activeElement;
        made.remove();
        this.buttons.delete(time);
        if (focused) [...this.buttons.values()].findLast(({ trial: of }) => of === trial)?.focus();
      }
      for (const time of times) {
        if (this.buttons.has(time)) continue;
        const made = button(trial.x[time], `Go to t = ${time}`, () => this.seek(time));
        made.append(String(time));
        made.trial = trial;
        this.buttons.set(time, made);
        this.box.append(made);
      }
      for (const [time, made] of this.buttons) made.setAttribute("aria-pressed", time === t);
    }

    clear() {
      this.box.replaceChildren();
      this.buttons.clear();
    }
  }

  return { paint, button, Strip };
})();
