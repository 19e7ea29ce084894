"use strict";

/* Boxes that scroll sideways: only these are tab stops and show that there is more, and at a
   desk a table that is too wide for its column has the room beside it, where the contents are. */
(() => {
  const BESIDE = window.matchMedia("(min-width: 1200px)");
  const overflows = (box) => box.scrollWidth > box.clientWidth; // as the theme has it
  const inView = new Set();

  function measure() {
    for (const box of document.querySelectorAll(".pst-scrollable-table-container")) {
      box.classList.remove("wide", "scrolls");
      box.classList.toggle("wide", BESIDE.matches && overflows(box));
      box.classList.toggle("scrolls", overflows(box));
      if (overflows(box)) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
      watcher.observe(box);
    }
    for (const formula of document.querySelectorAll("div.math mjx-container")) {
      if (overflows(formula)) formula.tabIndex = 0;
      else formula.removeAttribute("tabindex");
    }
    makeRoom();
  }

  function makeRoom() {
    const contents = document.querySelector(".bd-sidebar-secondary");
    const covered = [...inView].some((box) => box.classList.contains("wide"));
    contents?.classList.toggle("hide", covered); // the theme's class, of its own wide elements
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target);
      else inView.delete(target);
    }
    makeRoom();
  });

  window.addEventListener("load", () => {
    measure();
    window.addEventListener("resize", measure);
    document.addEventListener("toggle", measure, true); // a fold was opened
    window.MathJax?.startup?.promise.then(measure);
  });
})();

/* On a phone the contents of a page lie over it: a link in them is to show where it leads. */
document.addEventListener("click", ({ target }) => {
  target.closest?.("a[href^='#']")?.closest("dialog")?.close();
});

/* Paper is white. */
(() => {
  const root = document.documentElement;
  let theme;
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    root.dataset.theme = theme;
  });
})();
