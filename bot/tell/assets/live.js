"use strict";
// The page as it is served: looks for news, and shows them where the reader is.
(() => {
  const SECONDS = 5;
  const version = document.documentElement.dataset.version;
  const search = document.getElementById("search");
  const kept = JSON.parse(sessionStorage.getItem("nocturne") || "null");
  if (kept) {
    sessionStorage.removeItem("nocturne");
    if (kept.text) {
      search.value = kept.text;
      search.dispatchEvent(new Event("input"));
    }
    window.scrollTo(0, kept.y);
  }
  async function look() {
    if (document.hidden || document.activeElement === search) return;
    try {
      const found = await (await fetch("version", { cache: "no-store" })).text();
      if (found === version) return;
    } catch {
      return; // the server has ended: what is shown stays
    }
    sessionStorage.setItem("nocturne", JSON.stringify({ text: search.value, y: window.scrollY }));
    location.reload();
  }
  setInterval(look, SECONDS * 1000);
})();
