"use strict";
window.repinf ??= {};

/* What all views share: colours of the page's style, sharp canvases, the axis of time. */
repinf.drawing = (() => {
  const names = ["paper", "ink", "concept", "memory", "abstract", "chord", "many"];
  let colours = null;

  /* The colours of the page's present style. */
  function palette() {
    if (colours) return colours;
    const style = getComputedStyle(document.getElementById("pg"));
    const of = (name) => style.getPropertyValue(name).trim();
    colours = Object.fromEntries(names.map((name) => [name, of(`--pg-${name}`)]));
    colours.labels = Array.from({ length: 10 }, (_, k) => of(`--pg-${k}`));
    colours.text = of("--pst-color-text-base");
    colours.muted = of("--pst-color-text-muted");
    colours.border = of("--pst-color-border");
    colours.ground = of("--pst-color-background");
    colours.font = `0.8125rem ${style.fontFamily}`;
    return colours;
  }

  /* Forget the colours: the page has another style now. */
  function restyle() {
    colours = null;
  }

  /* A canvas's context in CSS pixels, on an empty ground, with its size. */
  function sheet(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const density = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * density), Math.round(height * density)];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    const context = canvas.getContext("2d");
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
  }

  const LINEAR = 10; // steps, after which the axis of time is logarithmic

  /* Place of a time on an axis from 0 to 1 that ends at t = steps. */
  function placeOf(t, steps) {
    const raw = (u) => (u <= LINEAR ? u / LINEAR : 1 + Math.log10(u / LINEAR));
    return raw(t) / raw(steps);
  }

  /* The time at a place of this axis. */
  function timeAt(place, steps) {
    const end = 1 + Math.log10(steps / LINEAR);
    const raw = Math.min(Math.max(place, 0), 1) * end;
    return raw <= 1 ? raw * LINEAR : LINEAR * 10 ** (raw - 1);
  }

  return { palette, restyle, sheet, placeOf, timeAt };
})();
