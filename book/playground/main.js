"use strict";

/* The page: what a reader does goes into the state, and what follows from it is shown. */
(() => {
  const { geometry, library, noise, pictures, state: fragments, words } = repinf;
  const root = document.getElementById("pg");
  const one = (selector) => root.querySelector(selector);
  const all = (selector) => [...root.querySelectorAll(selector)];
  const view = (name) => one(`[data-view="${name}"]`);
  const say = (name, text) => {
    for (const element of all(`[data-say="${name}"]`)) {
      if (element.textContent !== text) element.textContent = text;
    }
  };
  // The image and the noise to begin with: a plain '1' of MNIST, picked because it comes close to
  // its concept and goes on.  It is an example, not evidence: of the other nine some do not, which
  // the first prompt asks the reader to see.
  const OPENING = { place: 13, drawn: null, p: 0.2, noise: "permute", seed: 20 };
  const BLANK = new Float32Array(784);
  const LETTER = [
    [
      [7, 23],
      [14, 5],
      [21, 23],
    ],
    [
      [9.5, 17],
      [18.5, 17],
    ],
  ]; // strokes of an A

  let models = []; // entries of the catalogue
  const images = {}; // by data set
  const networks = new Map(); // promises, by model
  let state; // as repinf.state has it
  let landscape; // of the model
  let asked; // the model that a reader chose last; its landscape may still be loading
  let resume = ""; // what goes on with the next trial: "", "trial" or "play"
  let tab; // the label whose images are offered, or "draw"

  const plane = new repinf.Plane(view("plane"));
  const distances = new repinf.Curves(view("distances"), seek);
  const lengths = new repinf.Curves(view("lengths"), seek);
  const strip = new pictures.Strip(one(".pg-strip"), seek);
  const player = new repinf.Player(draw, tell);
  const pad = new repinf.Pad(view("pad"), (pixels) => change({ drawn: fragments.rounded(pixels) }));

  // What follows from the state.
  const entryOf = (name) => models.find((entry) => entry.name === name);
  const entry = () => entryOf(state.model);
  const names = () => images[entry().dataset].classNames;
  const sample = () => images[entry().dataset].samples.find(({ row }) => row === state.row);
  const clean = () => state.drawn ?? sample().pixels;
  const noisy = () =>
    noise.corrupt(clean(), state.p, new repinf.Generator(state.seed), state.noise);

  /* The label whose concept is followed; of a drawing, that of the concept nearest to it. */
  function label() {
    if (!state.drawn) return sample().label;
    const trial = player.trial;
    if (!trial) return 0;
    return geometry.nearest(landscape.concepts.map((c) => geometry.distance(trial.memory, c)));
  }

  /* The network of a model, loaded when it is first asked for. */
  function networkOf(model, progress = () => {}) {
    if (!networks.has(model)) {
      const loading = library.network(entryOf(model), progress);
      networks.set(model, loading);
      loading.catch(() => networks.delete(model));
    }
    return networks.get(model);
  }

  /* Load the network if need be, and begin the trial. */
  async function begin() {
    if (player.trial) return true;
    const bar = one(".pg-progress");
    const { model } = state;
    setLoading(true);
    try {
      const loaded = await networkOf(model, (share) => {
        bar.value = share;
      });
      if (model !== state.model) return false; // the reader has chosen another one
      if (player.trial) return true; // and asked twice
      const trial = new repinf.Trial(loaded, clean(), noisy(), landscape.concepts);
      player.open(trial);
      complain("");
      return true;
    } catch (error) {
      told(error);
      return false;
    } finally {
      setLoading(false);
    }
  }

  function setLoading(loading) {
    one(".pg-progress").hidden = !loading;
    one(".pg-play").setAttribute("aria-busy", loading); // not disabled, which would lose the focus
    one(".pg-begin").hidden = loading || Boolean(player.trial);
  }

  function complain(text) {
    one(".pg-alert[role]").hidden = !text;
    one(".pg-alert[role]").textContent = text;
  }

  /* Tell that a file of the book is missing or damaged; what was chosen before stays. */
  function told(error) {
    complain(`${error.message} Download this book, or build it, again.`);
    showChoices();
    return null;
  }

  /* Take over changes of the state that begin another trial. */
  async function change(changes) {
    if (changes.model) {
      const found = await landscapeOf(changes.model).catch(told);
      if (!found) return;
      landscape = found;
      complain("");
    }
    say("replaced", "");
    if (player.trial) resume = player.playing ? "play" : "trial";
    const place = images[entry().dataset].samples.indexOf(sample());
    state = { ...state, t: 0, many: 0, ...changes };
    state.row = changes.row ?? images[entry().dataset].samples[place].row; // of another data set too
    player.playing = false;
    player.open(null);
    strip.clear();
    if (changes.model) openLandscape();
    showChoices();
    if (resume && (await begin())) {
      if (resume === "play") player.play();
      resume = "";
    }
    draw();
    tell();
  }

  /* The landscape of a model; null if the reader has chosen another one meanwhile. */
  async function landscapeOf(model) {
    asked = model;
    const found = await library.landscape(entryOf(model));
    return model === asked ? found : null;
  }

  function openLandscape() {
    plane.open(landscape, names());
    tab = state.drawn ? "draw" : sample().label;
  }

  async function seek(t) {
    if (!(await begin())) return;
    player.seek(t);
  }

  async function play() {
    one(".pg-play").focus({ preventScroll: true }); // the other button goes
    if (player.playing) player.pause();
    else if (await begin()) player.play();
    draw();
  }

  /* Noisy images of one label, as many as asked for: its images one after the other. */
  async function release(many) {
    if (!(await begin())) return;
    player.open(player.trial);
    state.many = many;
    const own = images[entry().dataset].samples.filter((s) => s.label === sample().label);
    const from = state.drawn ? [state.drawn] : own.map(({ pixels }) => pixels);
    const generator = new repinf.Generator(state.seed);
    const batch = new Float32Array(784 * many);
    for (let k = 0; k < many; k++) {
      batch.set(noise.corrupt(from[k % from.length], state.p, generator, state.noise), 784 * k);
    }
    const { Crowd } = repinf.crowd;
    player.crowd = new Crowd(player.trial.network, batch, many, landscape, label(), state.steps);
    player.play();
    tell();
  }

  // What is shown.

  function draw() {
    if (!landscape) return;
    const { trial, crowd, shown: t } = player;
    const whole = Math.floor(t);
    const known = trial || !state.drawn; // of a drawing, the network tells the concept
    const k = known ? label() : -1;
    if (trial) {
      const next = trial.x[Math.min(whole + 1, trial.computed)];
      pictures.paint(view("now"), trial.x[whole], next, t - whole);
      strip.show(trial, whole, state.steps);
    } else {
      pictures.paint(view("now"), noisy());
      strip.show({ x: [noisy()] }, 0, state.steps);
    }
    pictures.paint(view("clean"), clean());
    pictures.paint(view("concept"), known ? landscape.conceptImages[k] : BLANK);
    plane.draw({ t, trial, crowd, label: k, far: player.far });
    drawCurves(t);
    say("t", String(whole));
    say("memory", trial ? trial.toMemory[whole].toFixed(2) : "");
    const name = known ? `‘${names()[k]}’ ` : "";
    say("concept", trial ? name + trial.toConcepts[k][whole].toFixed(2) : name);
    say("rate", crowd ? words.speed(crowd, player, state.steps) : "");
    say("many", crowd ? words.many(state) : "");
    const slider = one('[data-set="t"]');
    slider.value = player.goal ?? whole;
    slider.setAttribute("aria-valuetext", `t = ${whole} of ${state.steps}`);
    one(".pg-play").textContent = player.playing ? "Pause" : "Play";
    one(".pg-begin").hidden = Boolean(trial) || !one(".pg-progress").hidden;
    say("model", words.about(entry(), Boolean(trial)));
    one('[data-do="recall"]').hidden = !crowd;
    for (const element of all(".pg-of-many")) element.hidden = !crowd;
  }

  function drawCurves(t) {
    const colours = repinf.drawing.palette();
    const { trial, crowd } = player;
    const steps = state.steps;
    if (!trial) {
      for (const curves of [distances, lengths]) curves.draw({ curves: [], steps, t });
      return;
    }
    const k = label();
    const others = trial.toConcepts.map((values, j) => ({
      values,
      colour: colours.labels[j],
      name: names()[j],
      alpha: 0.75,
    }));
    others[k] = { ...others[k], colour: colours.concept, width: 2.6, alpha: 1 };
    const { toMemory, toAbstract, stepLengths, computed } = trial;
    const end = Math.min(computed, steps);
    const chord = end ? trial.chord(end, k) : [];
    const curves = [
      ...others.filter((_, j) => j !== k),
      { values: chord, colour: colours.chord, width: 1.2 },
      { values: toAbstract, colour: colours.abstract, width: 2, dash: [2, 3] },
      { values: toMemory, colour: colours.memory, width: 2, dash: [6, 4] },
      others[k],
    ];
    if (crowd?.computed > 0) {
      curves.push({ values: crowd.toConcept, colour: colours.many, width: 3, dash: [1, 1.5] });
    }
    const cut = curves.map((curve) => ({ ...curve, values: curve.values.slice(0, steps + 1) }));
    distances.draw({ curves: cut, steps, t });
    const values = stepLengths.slice(0, steps);
    const length = { values, colour: colours.text, width: 2 };
    lengths.draw({ curves: [length], steps, t, logarithmic: true });
  }

  /* Keep in the address what is shown. */
  function keep() {
    state.t = player.trial ? Math.floor(player.t) : state.t;
    history.replaceState(null, "", `#${fragments.written(state)}`);
  }

  /* Say, and keep in the address, what is shown when time stands still. */
  function tell() {
    if (!state) return;
    const { trial } = player;
    if (trial) keep();
    const many = player.crowd ? words.gathered(player.crowd, state.t, names()[label()]) : "";
    const said = trial ? words.nearby(trial, state.t, names()) + many : "";
    const labels = {
      now: `Image at t = ${state.t}`,
      clean: state.drawn ? "Your drawing" : "The clean image",
      concept: "Image of the concept",
      plane: `Plane of latent space with memories, ten concepts and the trajectory. ${said}`,
      distances: `Distances against time. ${said}`,
      lengths: `Length of each step against time. ${said}`,
    };
    for (const [name, text] of Object.entries(labels)) view(name).setAttribute("aria-label", text);
    one(".pg-live").textContent = said;
    say("command", words.command(state, entry()));
  }

  /* Let time go as far as the chosen number of steps, at once: the slider cuts what lies beyond. */
  function limit() {
    player.steps = state.steps;
    one('[data-set="t"]').max = state.steps;
  }

  /* Show what is chosen, and what can be. */
  function showChoices() {
    const { samples, attribution } = images[entry().dataset];
    const tabs = one('[data-list="labels"]');
    fill(tabs, entry().dataset, () => [...names().keys(), "draw"].map(tabButton));
    for (const made of tabs.children) made.setAttribute("aria-pressed", made.value === String(tab));
    const offered = one('[data-list="samples"]');
    offered.hidden = tab === "draw";
    const own = samples.filter((s) => s.label === tab);
    fill(offered, `${entry().dataset} ${tab}`, () => own.map(sampleButton));
    for (const made of offered.children) {
      made.setAttribute("aria-pressed", !state.drawn && made.value === String(state.row));
    }
    one(".pg-pad").hidden = tab !== "draw";
    if (tab === "draw") pad.open(state.drawn ?? BLANK);
    one('[data-set="p"]').value = state.p;
    one('[data-set="model"]').value = state.model;
    one('[data-set="steps"]').value = state.steps;
    for (const radio of all('[data-set="noise"]')) radio.checked = radio.value === state.noise;
    limit();
    say("p", state.p.toFixed(2));
    say("share", words.share(landscape.share));
    say("dimensions", String(entry().nZ));
    say("attribution", attribution);
    say("second", names()[1]);
    say("seventh", names()[6]);
    one('[data-do="copy"]').disabled = Boolean(state.drawn);
  }

  /* Fill a list with buttons, unless it has those of this key: the focus would be lost. */
  function fill(list, key, make) {
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...make());
  }

  function tabButton(key) {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", value: key });
    made.textContent = key === "draw" ? "Draw" : names()[key];
    made.addEventListener("click", () => openTab(key));
    return made;
  }

  function sampleButton({ row, label: k, pixels }) {
    const name = `'${names()[k]}', training image ${row}`;
    const made = pictures.button(pixels, name, () => change({ row, drawn: null }));
    made.value = row;
    return made;
  }

  function openTab(key) {
    tab = key;
    if (key === "draw") {
      if (!state.drawn) change({ drawn: BLANK.slice() });
      else showChoices();
    } else {
      const first = images[entry().dataset].samples.find((s) => s.label === key);
      change({ row: first.row, drawn: null });
    }
  }

  /* Models with the image's data set and beta, by N_z. */
  const alike = (nZ) =>
    models.find((m) => m.nZ === nZ && m.dataset === entry().dataset && m.beta === entry().beta) ??
    models.find((m) => m.nZ === nZ && m.dataset === entry().dataset);

  /* The opening '1' again, with some changes. */
  function opening(changes) {
    tab = 1;
    const { place, ...usual } = OPENING;
    return change({ row: images[entry().dataset].samples[place].row, ...usual, ...changes });
  }

  const PROMPTS = {
    one: () => opening({}),
    p: ({ p }) => opening({ p: Number(p) }),
    many: async () => {
      await ofLabel(6, { p: 0.2 });
      await release(300);
    },
    nz: ({ nz }) => opening({ model: alike(Number(nz)).name }),
    letter: () => {
      tab = "draw";
      pad.open(BLANK);
      for (const line of LETTER) pad.lines(line);
      return change({ drawn: fragments.rounded(pad.pixels), p: 0 });
    },
  };

  function ofLabel(k, changes) {
    tab = k;
    const { row } = images[entry().dataset].samples.find((s) => s.label === k);
    return change({ row, drawn: null, ...changes });
  }

  async function attempt({ try: name, ...values }) {
    await PROMPTS[name](values);
    one(name === "many" ? ".pg-space" : ".pg-pictures").scrollIntoView({
      block: "nearest",
      behavior: player.calm.matches ? "auto" : "smooth",
    });
    if ((await begin()) && !player.playing) player.play();
  }

  /* Copy a text, or say where else a reader finds it. */
  async function copy(text, what, elsewhere) {
    try {
      await navigator.clipboard.writeText(text);
      say("copied", `${what} copied.`);
    } catch {
      say("copied", `This browser does not let the page copy: ${elsewhere}.`);
    }
  }

  const ACTIONS = {
    play,
    step: () => seek(Math.floor(player.t) + 1),
    back: () => seek(Math.ceil(player.t) - 1),
    rewind: () => seek(0),
    release: ({ many }) => release(Number(many)),
    recall: () => {
      one('[data-do="release"]').focus({ preventScroll: true }); // the button goes
      state.many = 0;
      player.open(player.trial);
      player.seek(0);
    },
    noise: () => change({ seed: (state.seed + 1) % fragments.LARGEST_SEED }),
    clear: () => pad.clear(),
    copy: () => {
      getSelection().selectAllChildren(one(".pg-command"));
      return copy(words.command(state, entry()), "Command", "the command is selected");
    },
    link: () => {
      keep();
      return copy(location.href, "Address", "the browser shows the address");
    },
  };

  const SETTINGS = {
    t: (text) => seek(Number(text)),
    p: (text) => change({ p: Number(text) }),
    noise: (text) => change({ noise: text }),
    model: (text) => change({ model: text }),
    steps: (text) => {
      state.steps = Number(text);
      limit();
      if (player.crowd) release(state.many);
      else player.seek(Math.floor(player.t));
    },
  };

  function listen() {
    root.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button?.dataset.do) ACTIONS[button.dataset.do](button.dataset);
      if (button?.dataset.try) attempt(button.dataset);
    });
    root.addEventListener("input", ({ target }) => SETTINGS[target.dataset.set]?.(target.value));
    document.addEventListener("keydown", (event) => {
      const keys = { ArrowLeft: "back", ArrowRight: "step", Home: "rewind" };
      const { key, target } = event;
      if (!(key in keys) || event.altKey || event.ctrlKey || event.metaKey) return;
      const free = target === document.body && key !== "Home"; // which leads to the page's top
      const own = root.contains(target) && !target.closest("input, select, pre");
      if (!free && !own) return;
      event.preventDefault();
      ACTIONS[keys[key]]();
    });
    window.addEventListener("hashchange", () => restore().catch(told));
    new ResizeObserver(draw).observe(root);
    new MutationObserver(() => {
      repinf.drawing.restyle();
      plane.restyle();
      strip.clear();
      one('[data-list="samples"]').dataset.key = "";
      showChoices();
      draw();
    }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /* The view that the address gives, if it gives one. */
  async function restore() {
    const cited = location.hash.includes("model=");
    const usual = {
      model: models[0].name,
      ...OPENING,
      steps: 100,
      t: 0,
      many: 0,
    };
    const rows = (model) => images[entryOf(model).dataset].samples.map(({ row }) => row);
    if (state && !cited) return;
    const found = fragments.read(
      location.hash,
      usual,
      models.map(({ name }) => name),
      rows,
    );
    const { many, t } = found.state;
    const there = await landscapeOf(found.state.model);
    if (!there) return;
    landscape = there;
    say("replaced", words.replaced(found.replaced));
    state = found.state;
    player.open(null);
    strip.clear();
    openLandscape();
    showChoices();
    if (cited && (await begin())) {
      if (many) await release(many);
      player.seek(t);
    }
    draw();
    tell();
  }

  function listModels() {
    const select = one('[data-set="model"]');
    for (const title of new Set(models.map((m) => m.title))) {
      const group = Object.assign(document.createElement("optgroup"), { label: title });
      for (const { name, nZ, beta } of models.filter((m) => m.title === title)) {
        const other = beta === 1 ? "" : `, β = ${beta}`;
        group.append(new Option(`${nZ} latent variables${other}`, name));
      }
      select.append(group);
    }
    const has = (nZ) => models.some((m) => m.nZ === Number(nZ));
    for (const item of all("[data-needs]")) item.hidden = !item.dataset.needs.split(" ").every(has);
  }

  async function start() {
    models = await library.catalogue();
    for (const { dataset } of models) images[dataset] ??= await library.images(dataset);
    listModels();
    await restore();
    listen();
    return { models: models.map(({ name }) => name) };
  }

  function demand(right, what, got, allowed) {
    if (!right) throw new RangeError(`${what}: got ${got}; allowed: ${allowed}.`);
  }

  const ready = start();
  ready.catch((error) => complain(`The playground cannot begin: ${error.message}`));

  /* For tests and the curious: the page can be asked for numbers. */
  window.repeatedInference = {
    ready, // resolves to {models: names}

    /* Infer repeatedly with a model (a name) from an image (784 intensities): plain arrays
       z [steps + 1][N_z] and x [steps + 1][784]. */
    async run({ model, image, steps }) {
      await ready;
      const pixels = Float32Array.from(image ?? []);
      const shades = pixels.length === 784 && pixels.every((value) => value >= 0 && value <= 1);
      demand(entryOf(model), "model", model, models.map(({ name }) => name).join(", "));
      demand(shades, "image", `${pixels.length} numbers`, "784 intensities from 0 to 1");
      demand(Number.isInteger(steps) && steps >= 0, "steps", steps, "whole numbers from 0");
      const { concepts } = await library.landscape(entryOf(model));
      const trial = new repinf.Trial(await networkOf(model), pixels, pixels, concepts);
      trial.advance(steps, Number.POSITIVE_INFINITY);
      return { z: trial.z.map((z) => [...z]), x: trial.x.map((x) => [...x]) };
    },
  };
})();
