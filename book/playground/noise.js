"use strict";
window.repinf ??= {};

/* The two readings of the paper's noise, to the last bit as repinf_core.noise has them. */
repinf.noise = (() => {
  /* Permute the intensities of the selected pixels among themselves. */
  function permute(image, uniforms, selected) {
    const shuffled = [...selected].sort((i, j) => uniforms[i] - uniforms[j] || i - j);
    const noisy = image.slice();
    for (let k = 0; k < selected.length; k++) noisy[selected[k]] = image[shuffled[k]];
    return noisy;
  }

  /* Map x to 1 - x on the selected pixels. */
  function invert(image, _, selected) {
    const noisy = image.slice();
    for (const i of selected) noisy[i] = 1 - image[i];
    return noisy;
  }

  const READINGS = { permute, invert };

  /* A noisy copy of an image (Float32Array): each pixel is selected with probability p. */
  function corrupt(image, p, generator, reading) {
    const uniforms = Float32Array.from(image, () => generator.uniform());
    const threshold = Math.fround(p); // torch compares in float32
    const selected = [...uniforms.keys()].filter((i) => uniforms[i] < threshold);
    return READINGS[reading](image, uniforms, selected);
  }

  return { READINGS: Object.keys(READINGS), corrupt };
})();
