"use strict";

/* What the page says of a trial, of many, of a model, and to Python. */
repinf.words = (() => {
  /* Where the trajectory is at step t. */
  function nearby({ toConcepts, toMemory, stepLengths }, t, names) {
    const near = repinf.geometry.nearest(toConcepts.map((values) => values[t]));
    const length = t ? ` The last step was ${stepLengths[t - 1].toFixed(3)} long.` : "";
    return (
      `t = ${t}. The nearest concept is '${names[near]}', at a distance of ` +
      `${toConcepts[near][t].toFixed(2)}; its memory is at ${toMemory[t].toFixed(2)}.${length}`
    );
  }

  /* Where many trials are at step t; nothing before they are there. */
  function gathered({ count, toConcept }, t, name) {
    if (t >= toConcept.length) return "";
    return ` ${count} trials, mean distance to the concept '${name}' ${toConcept[t].toFixed(2)}.`;
  }

  /* What is released; a label has ten images here. */
  function many({ many, drawn, p }) {
    const images = drawn ? " of your drawing" : `, ${many / 10} of each of the label’s ten images`;
    const same = drawn ? ", all the same" : ", those of one image all the same";
    return `${many} noisy copies${images}${p ? "" : `${same}, since p = 0`}`;
  }

  /* What an address gave wrongly. */
  const replaced = (fields) =>
    fields.length
      ? `The address gives ${fields.join(", ")} wrongly: the usual is shown instead.`
      : "";

  /* How fast many trials go: steps computed, and frames drawn. */
  function speed(crowd, player, steps) {
    const computed = Math.max(crowd.computed, 0);
    const rate = `${crowd.stepsPerSecond.toFixed(1)} steps/s computed`;
    const frames = player.playing ? `, ${player.framesPerSecond} frames/s drawn` : "";
    return `${crowd.count} trials, t = ${computed} of ${steps}: ${rate}${frames}`;
  }

  /* A share in per cent. */
  const share = (part) => (100 * part).toFixed(0);

  function about({ nZ, nHidden, beta, epochs, bytes }, loaded) {
    const size = `${(bytes / 1e6).toFixed(1)} MB, ${loaded ? "loaded" : "loaded when you press play"}`;
    return `784–${nHidden}–${nZ}–${nHidden}–784 units, β = ${beta}, trained for ${epochs} epochs; ${size}.`;
  }

  /* The command that follows the same trial with the Python core. */
  function command({ drawn, row, p, noise, seed, steps }, entry) {
    if (drawn) return "A drawing has no row in the training set: choose an image for a command.";
    const own = { image: row, p, noise, trial_seed: seed, steps, page: "one_trial" };
    const parameters = { ...entry.parameters, ...own };
    const text = (value) => (Array.isArray(value) ? `'${JSON.stringify(value)}'` : String(value));
    const given = Object.entries(parameters).map(([name, value]) => `-p ${name} ${text(value)}`);
    return `papermill notebooks/40_one_trial.ipynb one_trial.ipynb ${given.join(" ")}`;
  }

  return { nearby, gathered, many, replaced, speed, share, about, command };
})();
