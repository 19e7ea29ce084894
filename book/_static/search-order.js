/* A notebook's other pages, on another network or data set, come in a search after its first one,
   which says almost the same words. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const other = /^[a-z]+_\d/; // "fashion_04_...": the first page's name begins with its number
  Scorer.score = ([docname, , , , score]) => (other.test(docname) ? score - 1000 : score);
});
