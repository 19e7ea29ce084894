"use strict";
window.repinf ??= {};

/* Many trials at once, in a worker, so that the page never waits for them.

   The worker is made from the source of these functions: a page from disk may not load files. */
repinf.crowd = (() => {
  /* In the worker: infer repeatedly from all images, and tell after each step where they are. */
  function work({ Network }) {
    self.onmessage = ({ data }) => {
      const { weights, images, count, plane, concept, steps } = data;
      const network = new Network(weights);
      const { nZ } = weights;
      const [horizontal, vertical] = plane.axes;
      let z = network.encode(images, count);

      function tell(t) {
        const points = new Float32Array(2 * count);
        let toConcept = 0;
        for (let k = 0; k < count; k++) {
          let square = 0;
          for (let i = 0; i < nZ; i++) {
            const value = z[k * nZ + i];
            points[2 * k] += (value - plane.mean[i]) * horizontal[i];
            points[2 * k + 1] += (value - plane.mean[i]) * vertical[i];
            square += (value - concept[i]) ** 2;
          }
          toConcept += Math.sqrt(square) / count;
        }
        self.postMessage({ t, points, toConcept });
      }

      tell(0);
      for (let t = 1; t <= steps; t++) {
        z = network.encode(network.decode(z, count), count);
        tell(t);
      }
    };
  }

  class Crowd {
    /* images: noisy images [count, 784] in one array; label: theirs. */
    constructor(network, images, count, landscape, label, steps) {
      this.count = count;
      this.points = []; // by t, [count, 2] in one array
      this.toConcept = []; // mean distance, by t
      this.started = performance.now();
      const source = `"use strict";(${work})((${repinf.makeNetwork})());`;
      const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      this.worker = new Worker(address);
      URL.revokeObjectURL(address);
      this.worker.onmessage = ({ data }) => {
        this.points[data.t] = data.points;
        this.toConcept[data.t] = data.toConcept;
        this.last = performance.now();
        if (data.t === 0) this.started = this.last; // when the worker has its weights
        if (data.t === steps) this.worker.terminate();
      };
      const plane = { axes: landscape.axes, mean: landscape.mean };
      const concept = landscape.concepts[label];
      const { weights } = network;
      this.worker.postMessage({ weights, images, count, plane, concept, steps });
    }

    /* The last t that has been computed; -1 before the first. */
    get computed() {
      return this.points.length - 1;
    }

    /* Steps of all trials in a second, as measured here. */
    get stepsPerSecond() {
      return this.computed > 0 ? (1000 * this.computed) / (this.last - this.started) : 0;
    }

    end() {
      this.worker.terminate();
    }
  }

  return { Crowd };
})();
