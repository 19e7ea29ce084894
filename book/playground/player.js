"use strict";
window.repinf ??= {};

/* Time, as a reader lets it run: the state of the trial and of the many, and what t is shown. */
repinf.Player = class {
  static #COMPUTING = 8; // milliseconds of a frame
  static #WAITING = 30; // likewise, while a reader waits for a step

  /* frame: called to draw; ended: called when time stands still again. */
  constructor(frame, ended) {
    Object.assign(this, { frame, ended });
    Object.assign(this, { t: 0, far: 0, steps: 100, trial: null, crowd: null, playing: false });
    this.goal = null; // the step that a reader waits for
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.frames = []; // times of the frames of the last second
    this.asked = null;
  }

  /* Time to show: between two steps only where motion is welcome. */
  get shown() {
    return this.calm.matches ? Math.floor(this.t) : this.t;
  }

  /* The last t of which all that is shown has been computed. */
  get computed() {
    if (!this.trial) return 0;
    return Math.min(this.trial.computed, this.crowd?.computed ?? this.trial.computed);
  }

  play() {
    if (this.t >= this.steps) this.t = 0;
    Object.assign(this, { playing: true, goal: null });
    this.before = undefined;
    this.wake();
  }

  /* Stop at a whole step. */
  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.t = Math.min(Math.ceil(this.t), this.computed);
    this.wake();
    this.ended();
  }

  /* Show a whole step, as soon as it has been computed. */
  seek(t) {
    this.playing = false;
    this.goal = Math.min(Math.max(t, 0), this.steps);
    this.#approach();
    this.wake();
  }

  #approach() {
    this.t = Math.min(this.goal, this.trial?.computed ?? 0);
    this.far = Math.max(this.far, this.t);
    if (this.t < this.goal && this.trial) return;
    this.goal = null;
    this.ended();
  }

  /* Begin again with another trial, or none. */
  open(trial) {
    this.crowd?.end();
    Object.assign(this, { trial, crowd: null, t: 0, far: 0, goal: null });
    this.wake();
  }

  /* Frames drawn in the last second. */
  get framesPerSecond() {
    return this.frames.length;
  }

  /* Ask for a frame; others follow as long as something moves. */
  wake() {
    this.asked ??= requestAnimationFrame((now) => this.#next(now));
  }

  #next(now) {
    this.asked = null;
    this.frames = [...this.frames.filter((time) => time > now - 1000), now];
    const { Player } = repinf;
    this.trial?.advance(this.steps, this.goal === null ? Player.#COMPUTING : Player.#WAITING);
    if (this.playing) this.#run(now);
    if (this.goal !== null) this.#approach();
    this.frame();
    const computing = (one) => one && one.computed < this.steps;
    if (this.playing || computing(this.trial) || computing(this.crowd)) this.wake();
  }

  /* The first steps are slow: much happens in them. */
  #run(now) {
    const seconds = Math.min((now - (this.before ?? now)) / 1000, 0.1);
    this.before = now;
    const limit = Math.min(this.computed, this.steps);
    this.t = Math.max(Math.min(this.t + seconds * (4 + this.t / 4), limit), 0);
    this.far = Math.max(this.far, Math.ceil(this.t));
    if (this.t >= this.steps) this.pause();
  }
};
