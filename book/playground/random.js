"use strict";
window.repinf ??= {};

/* The random numbers of torch's generator on a CPU: the 32-bit Mersenne Twister (mt19937). */
repinf.Generator = class {
  /* torch uses the low 32 bits of a seed. */
  constructor(seed) {
    this.words = new Uint32Array(624);
    this.words[0] = seed;
    for (let i = 1; i < 624; i++) {
      const previous = this.words[i - 1];
      this.words[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
    this.next = 624;
  }

  /* The next 32 bits. */
  bits() {
    if (this.next === 624) this.#twist();
    let word = this.words[this.next++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /* A number in [0, 1), as torch.rand in float32: 24 of 32 bits. */
  uniform() {
    return (this.bits() & 0xffffff) / 0x1000000;
  }

  #twist() {
    const w = this.words;
    for (let i = 0; i < 624; i++) {
      const mixed = (w[i] & 0x80000000) | (w[(i + 1) % 624] & 0x7fffffff);
      w[i] = w[(i + 397) % 624] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
};
