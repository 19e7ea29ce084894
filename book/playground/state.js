"use strict";
window.repinf ??= {};

/* What a reader has chosen, as the fragment of an address: a view can be cited and opened again. */
repinf.state = (() => {
  const LEVELS = 15; // of a drawn pixel
  const N_PIXELS = 784;
  const LARGEST_SEED = 2 ** 31 - 1;
  const HORIZONS = [100, 1000];
  const CROWDS = [0, 100, 300];

  /* Two pixels a byte, in base64 that an address may hold. */
  function packed(pixels) {
    const bytes = new Uint8Array(N_PIXELS / 2);
    pixels.forEach((value, i) => {
      bytes[i >> 1] |= Math.round(value * LEVELS) << (i & 1 ? 0 : 4);
    });
    const text = btoa(String.fromCharCode(...bytes));
    return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }

  /* The image that packed() wrote; null if the text is of something else. */
  function unpacked(text) {
    let bytes;
    try {
      bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    } catch {
      return null;
    }
    if (bytes.length !== N_PIXELS / 2) return null;
    const level = (i) => (bytes.charCodeAt(i >> 1) >> (i & 1 ? 0 : 4)) & 15;
    return Float32Array.from({ length: N_PIXELS }, (_, i) => level(i) / LEVELS);
  }

  /* The pixels as a fragment keeps them. */
  const rounded = (pixels) => pixels.map((value) => Math.round(value * LEVELS) / LEVELS);

  /* The fragment of a state, without "#". */
  function written(state) {
    const { model, row, drawn, p, noise, seed, steps, t, many } = state;
    const image = drawn ? { drawn: packed(drawn) } : { image: row };
    const fields = { model, ...image, p, noise, seed, steps, t, ...(many ? { many } : {}) };
    return new URLSearchParams(Object.entries(fields)).toString();
  }

  /* The state that a fragment gives; what it leaves out, or gives wrongly, is that of usual.  With
     the names of what it gives wrongly: {state, replaced}.

     known: names of the models; rows: training images that can be chosen, by model; usual.place:
     that of an image among them. */
  function read(fragment, usual, known, rows) {
    const fields = new URLSearchParams(fragment.replace(/^#/, ""));
    const replaced = [];
    const instead = (name, value) => {
      if (fields.has(name)) replaced.push(name);
      return value;
    };
    const one = (name, allowed) => {
      const found = allowed.find((value) => String(value) === fields.get(name));
      return found ?? instead(name, usual[name]);
    };
    const number = (name, low, high) => {
      const text = fields.get(name);
      const value = Number(text);
      return text && value >= low && value <= high ? value : instead(name, usual[name]);
    };
    const whole = (name, low, high) => Math.round(number(name, low, high));
    const model = one("model", known);
    const row = Number(fields.get("image") ?? Number.NaN);
    const steps = one("steps", HORIZONS);
    const state = {
      model,
      row: rows(model).includes(row) ? row : instead("image", rows(model)[usual.place]),
      drawn: unpacked(fields.get("drawn") ?? "") ?? instead("drawn", null),
      p: number("p", 0, 1),
      noise: one("noise", repinf.noise.READINGS),
      seed: whole("seed", 0, LARGEST_SEED),
      steps,
      t: whole("t", 0, steps),
      many: one("many", CROWDS),
    };
    return { state, replaced };
  }

  return { HORIZONS, CROWDS, LARGEST_SEED, written, read, rounded };
})();
