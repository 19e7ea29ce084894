"use strict";
window.repinf ??= {};

/* The two means of the VAE: 784-1024(tanh)-N_z and N_z-1024(tanh)-784(sigmoid).

   A function that makes them, because a worker is given its source: it must use nothing outside. */
repinf.makeNetwork = () => {
  const N_PIXELS = 784;
  const ROWS = 4; // that go through a layer together, so that a weight is read once for them

  /* float32 of float16. */
  function fromHalves(buffer) {
    const table = Float32Array.from({ length: 65536 }, (_, bits) => {
      const exponent = (bits >> 10) & 31;
      const fraction = bits & 1023;
      const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
      return exponent === 31 ? Number.NaN : bits >> 15 ? -size : size;
    });
    return Float32Array.from(new Uint16Array(buffer), (bits) => table[bits]);
  }

  /* The weights from the bytes that book/playground_data.py wrote: plain objects and arrays.

     A layer has its weight [outputs, inputs], its bias and its nonlinearity. */
  function parse(bytes, { format, nZ, nHidden }) {
    const values = format === "float16" ? fromHalves(bytes.buffer) : new Float32Array(bytes.buffer);
    let start = 0;
    const take = (count) => {
      start += count;
      return values.subarray(start - count, start);
    };
    const layer = (inputs, outputs, nonlinearity) => ({
      inputs,
      outputs,
      nonlinearity,
      weight: take(inputs * outputs),
      bias: take(outputs),
    });
    return {
      nZ,
      encoder: [layer(N_PIXELS, nHidden, "tanh"), layer(nHidden, nZ, "none")],
      decoder: [layer(nZ, nHidden, "tanh"), layer(nHidden, N_PIXELS, "sigmoid")],
    };
  }

  /* Dot products of one row of weights with four rows of inputs, four numbers at a time.

     In WebAssembly, because JavaScript has no such instructions.  dots(weight, input, bytes, sums):
     addresses; the rows of inputs follow one another, each of this many bytes; 16 partial sums are
     left at sums, four of each row. */
  // biome-ignore format: an instruction a line
  const DOTS = [
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
    1, 8, 1, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 0, // type 0: (i32, i32, i32, i32) -> ()
    2, 8, 1, 1, 0x65, 1, 0x6d, 0x02, 0, 1, // import "e" "m": a memory of 1 page or more
    3, 2, 1, 0, // function 0 has type 0
    7, 8, 1, 4, 0x64, 0x6f, 0x74, 0x73, 0, 0, // export it as "dots"
  ];
  // Parameters 0 weight, 1 input, 2 bytes, 3 sums; locals 4 end, 5 row, 6 to 9 sums, 10 weights.
  const get = (local) => [0x20, local];
  const set = (local) => [0x21, local];
  const add = [0x6a];
  const vector = (code) => [0xfd, ...code];
  const load = vector([0x00, 4, 0]);
  const times = vector([0xe6, 0x01]);
  const plus = vector([0xe4, 0x01]);
  const store = (offset) => vector([0x0b, 4, offset]);
  const row = (sum) => [
    ...get(sum),
    ...get(10),
    ...get(5),
    ...load,
    ...times,
    ...plus,
    ...set(sum),
  ];
  const next = [...get(5), ...get(2), ...add, ...set(5)];
  const on = (local) => [...get(local), 0x41, 16, ...add, ...set(local)];
  const body = [
    ...[2, 2, 0x7f, 5, 0x7b], // locals: two of i32, five of v128 (zero at first)
    ...[...get(0), ...get(2), ...add, ...set(4)], // end = weight + bytes
    ...[0x03, 0x40], // loop
    ...[...get(0), ...load, ...set(10)], // weights = four at weight
    ...[...get(1), ...set(5)], // row = input
    ...[...row(6), ...next, ...row(7), ...next, ...row(8), ...next, ...row(9)], // sum += weights * row
    ...[...on(0), ...on(1)], // 16 bytes on
    ...[...get(0), ...get(4), 0x49, 0x0d, 0, 0x0b], // again while weight < end
    ...[6, 7, 8, 9].flatMap((sum, i) => [...get(3), ...get(sum), ...store(16 * i)]),
    0x0b, // end
  ];
  const leb = (size) => (size < 128 ? [size] : [(size & 127) | 128, size >> 7]);
  const code = [1, ...leb(body.length), ...body];
  const module = new Uint8Array([...DOTS, 10, ...leb(code.length), ...code]);

  /* Products by WebAssembly; null where it has no vectors. */
  function vectorProducts(layers) {
    if (typeof WebAssembly !== "object" || !WebAssembly.validate(module)) return null;
    const padded = (size) => 4 * Math.ceil(size / 4);
    const floats = layers.reduce((sum, l) => sum + padded(l.inputs) * l.outputs, 0);
    const widest = padded(Math.max(...layers.map((l) => l.inputs)));
    const bytes = 4 * (floats + ROWS * widest + 4 * ROWS);
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { e: { m: memory } });
    const values = new Float32Array(memory.buffer);
    const sums = 0;
    const inputs = 4 * ROWS;
    let free = inputs + ROWS * widest;
    const places = new Map();
    for (const layer of layers) {
      places.set(layer, free);
      for (let o = 0; o < layer.outputs; o++) {
        const row = layer.weight.subarray(o * layer.inputs, (o + 1) * layer.inputs);
        values.set(row, free); // zeros follow
        free += padded(layer.inputs);
      }
    }
    return (layer, rows, count, first, found) => {
      const width = padded(layer.inputs);
      values.fill(0, inputs, inputs + ROWS * width);
      for (let r = 0; r < count; r++) {
        const at = (first + r) * layer.inputs;
        values.set(rows.subarray(at, at + layer.inputs), inputs + r * width);
      }
      const weight = 4 * places.get(layer);
      for (let o = 0; o < layer.outputs; o++) {
        instance.exports.dots(weight + 4 * o * width, 4 * inputs, 4 * width, sums);
        for (let r = 0; r < count; r++) {
          const i = 4 * r;
          const sum = values[i] + values[i + 1] + values[i + 2] + values[i + 3];
          found[(first + r) * layer.outputs + o] = layer.bias[o] + sum;
        }
      }
    };
  }

  /* The same products in plain JavaScript, with sums in float64, of four outputs at a time. */
  function plainProducts(layer, rows, count, first, found) {
    const { inputs, outputs, weight, bias } = layer;
    for (let r = first; r < first + count; r++) {
      const x = r * inputs;
      for (let o = 0; o < outputs; o += 4) {
        const o1 = Math.min(o + 1, outputs - 1); // outputs beyond the last repeat it
        const o2 = Math.min(o + 2, outputs - 1);
        const o3 = Math.min(o + 3, outputs - 1);
        let s0 = bias[o];
        let s1 = bias[o1];
        let s2 = bias[o2];
        let s3 = bias[o3];
        for (let i = 0; i < inputs; i++) {
          const value = rows[x + i];
          s0 += weight[o * inputs + i] * value;
          s1 += weight[o1 * inputs + i] * value;
          s2 += weight[o2 * inputs + i] * value;
          s3 += weight[o3 * inputs + i] * value;
        }
        found[r * outputs + o] = s0;
        found[r * outputs + o1] = s1;
        found[r * outputs + o2] = s2;
        found[r * outputs + o3] = s3;
      }
    }
  }

  const NONLINEARITIES = {
    none: (value) => value,
    tanh: Math.tanh,
    sigmoid: (value) => 1 / (1 + Math.exp(-value)),
  };

  class Network {
    /* weights: from parse. */
    constructor(weights) {
      this.weights = weights;
    }

    /* z = mu(x): images [n, 784] to latents [n, N_z]. */
    encode(images, n = 1) {
      return this.#through(this.weights.encoder, images, n);
    }

    /* E_p(x|z)[x]: latents [n, N_z] to images [n, 784]. */
    decode(latents, n = 1) {
      return this.#through(this.weights.decoder, latents, n);
    }

    /* Of a few rows in float64, which follows the core most closely; of many at once fast. */
    #productsOf(n) {
      if (n < ROWS) return plainProducts;
      const { encoder, decoder } = this.weights;
      this.products ??= vectorProducts([...encoder, ...decoder]) ?? plainProducts;
      return this.products;
    }

    #through(layers, values, n) {
      const products = this.#productsOf(n);
      return layers.reduce((rows, layer) => {
        const found = new Float32Array(n * layer.outputs);
        for (let first = 0; first < n; first += ROWS) {
          products(layer, rows, Math.min(ROWS, n - first), first, found);
        }
        return layer.nonlinearity === "none"
          ? found
          : found.map(NONLINEARITIES[layer.nonlinearity]);
      }, values);
    }
  }

  return { Network, parse, plainProducts, vectorProducts };
};
repinf.network = repinf.makeNetwork();
