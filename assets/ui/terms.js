/* Help on a term of the glossary, at the pointer or the keyboard: one box for all of them, beside
   the page and not inside it, so that no table that scrolls cuts it off. */
(() => {
  const GAP = 6;
  const tip = document.createElement("div");
  tip.className = "fm-tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // a screen reader has the term's own description

  const show = (term) => {
    tip.textContent = term.getAttribute("aria-description");
    document.body.append(tip);
    tip.hidden = false;
    const at = term.getBoundingClientRect();
    const left = Math.min(at.left, window.innerWidth - tip.offsetWidth - GAP);
    const below = at.bottom + GAP + tip.offsetHeight < window.innerHeight;
    tip.style.left = `${Math.max(GAP, left)}px`;
    tip.style.top = `${below ? at.bottom + GAP : at.top - tip.offsetHeight - GAP}px`;
  };
  const hide = () => { tip.hidden = true; };
  const about = (event) => event.target.closest?.(".fm-term");

  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const term = about(event);
      if (term) show(term);
      else if (!event.target.closest?.(".fm-tip")) hide();
    });
  }
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
