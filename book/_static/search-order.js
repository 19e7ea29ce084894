/* A notebook's second page, on Fashion-MNIST, comes in a search after the pages on the other
   data, which say almost the same words. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  Scorer.score = ([docname, , , , score]) => (docname.startsWith("fashion_") ? score - 1000 : score);
});
