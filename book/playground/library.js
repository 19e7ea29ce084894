"use strict";
window.repinf ??= {};

/* The scripts of book/playground_data.py: models, images and weights, loaded when asked for. */
repinf.library = (() => {
  const folder = new URL("data/", document.currentScript.src);
  const pending = new Map();

  /* A value that a script leaves; the script is loaded once. */
  function value(name) {
    if (!pending.has(name)) pending.set(name, loaded(name));
    return pending.get(name);
  }

  function loaded(name) {
    const script = document.createElement("script");
    script.src = new URL(`${name}.js`, folder);
    return new Promise((done, fail) => {
      const lacks = (what) => {
        pending.delete(name); // it may be mended before it is asked for again
        fail(new Error(`The file data/${name}.js ${what}.`));
      };
      script.onload = () => {
        const found = window.repinfData?.[name];
        script.remove();
        if (found === undefined) lacks("is damaged");
        else done(found);
      };
      script.onerror = () => lacks("could not be loaded");
      document.head.append(script);
    });
  }

  /* The bytes of base64; null if the text is of something else. */
  function bytes(text) {
    try {
      return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    } catch {
      return null;
    }
  }

  const floats = (text) => new Float32Array(bytes(text).buffer);

  /* Rows of an array [rows, width]. */
  function rowsOf(values, width) {
    const count = values.length / width;
    return Array.from({ length: count }, (_, k) => values.subarray(k * width, (k + 1) * width));
  }

  /* The images of a data set that can be chosen: {row, label, pixels} in the order of labels. */
  async function images(dataset) {
    const found = await value(`images-${dataset}`);
    const raw = bytes(found.pixels);
    const pixels =
      found.format === "uint8" ? Float32Array.from(raw, (v) => v / 255) : floats(found.pixels);
    const all = rowsOf(pixels, 784);
    const samples = found.rows.flatMap((rows, label) =>
      rows.map((row, k) => ({ row, label, pixels: all[label * rows.length + k] })),
    );
    return { ...found, samples };
  }

  /* What a model makes of its training set: concepts, a plane and its share of the memories'
     variance, and memories in it. */
  async function landscape(entry) {
    const name = `model-${entry.name}`;
    const found = await value(name);
    const arrays = ["concepts", "conceptImages", "mean", "axes", "memories"];
    const text = arrays.map((array) => found[array]).join("");
    if (crc32(new TextEncoder().encode(text)) !== found.checksum) {
      throw new Error(`The file data/${name}.js is damaged: its checksum is another one.`);
    }
    if (found.crc32 !== entry.crc32) {
      throw new Error(`The file data/${name}.js is of other weights than data/catalogue.js names.`);
    }
    const [horizontal, vertical] = rowsOf(floats(found.axes), entry.nZ);
    const levels = new Uint16Array(bytes(found.memories).buffer);
    const { low, high } = found;
    const memories = Float32Array.from(levels, (level, i) => {
      return low[i % 2] + (level / 65535) * (high[i % 2] - low[i % 2]);
    });
    const seen = Float32Array.from(bytes(found.conceptImages), (level) => level / 255);
    return {
      concepts: rowsOf(floats(found.concepts), entry.nZ),
      conceptImages: rowsOf(seen, 784),
      mean: floats(found.mean),
      axes: [horizontal, vertical],
      memories,
      memoriesPerLabel: found.memoriesPerLabel,
      share: found.share,
      low,
      high,
    };
  }

  /* A model's network.  progress is called with the share of the parts that have come. */
  async function network(entry, progress) {
    const parts = [];
    for (let i = 0; i < entry.parts; i++) {
      progress(i / entry.parts);
      const name = `weights-${entry.name}-${i}`;
      parts.push(bytes(await value(name)));
      pending.delete(name); // the text is not needed again
      delete window.repinfData[name];
    }
    const sizes = parts.map((part) => part?.length ?? 0);
    const joined = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    parts.reduce((start, part) => {
      if (part) joined.set(part, start);
      return start + (part?.length ?? 0);
    }, 0);
    if (crc32(joined) !== entry.crc32) {
      throw new Error(
        `The weights of this model are damaged: the checksum of data/weights-${entry.name}-*.js is ` +
          `${crc32(joined)}, and should be ${entry.crc32}.`,
      );
    }
    progress(1);
    const { Network, parse } = repinf.network;
    return new Network(parse(joined, entry));
  }

  function crc32(content) {
    const table = Uint32Array.from({ length: 256 }, (_, byte) => {
      let word = byte;
      for (let bit = 0; bit < 8; bit++) word = word & 1 ? (word >>> 1) ^ 0xedb88320 : word >>> 1;
      return word;
    });
    let word = 0xffffffff;
    for (const byte of content) word = table[(word ^ byte) & 255] ^ (word >>> 8);
    return (word ^ 0xffffffff) >>> 0;
  }

  return { catalogue: () => value("catalogue"), images, landscape, network };
})();
