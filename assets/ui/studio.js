/* Small conveniences of the pages; everything else is Gradio's. */
(() => {
  const store = window.localStorage;
  const url = new URL(window.location.href);
  const chosen = store.getItem("fm-scheme");
  if (chosen && !url.searchParams.has("__theme")) {
    url.searchParams.set("__theme", chosen);
    window.history.replaceState(window.history.state, "", url);
  }

  /* The project stays chosen from page to page: links in the head carry it along. */
  const follow = (link) => {
    const project = new URL(window.location.href).searchParams.get("project");
    const target = new URL(link.href);
    if (project && !target.searchParams.has("project")) target.searchParams.set("project", project);
    link.href = target;
  };

  const scheme = () => {
    const dark = !document.body.classList.contains("dark");
    document.body.classList.toggle("dark", dark);
    store.setItem("fm-scheme", dark ? "dark" : "light");
    const here = new URL(window.location.href);
    here.searchParams.set("__theme", dark ? "dark" : "light");
    window.history.replaceState(window.history.state, "", here);
  };

  /* An answer must never stand beside inputs that it does not belong to. Gradio tells of a change a
     moment after it was made, so one that is told just after the question still belongs to it. */
  let changed = 0;
  let asked = 0;
  let edited = false; // of a field of our own, which tells at once
  const answer = () => document.querySelector("#answer");
  window.fmAnswer = {
    changed: () => { changed = Date.now(); answer()?.classList.add("fm-stale"); },
    edited: () => { edited = true; answer()?.classList.add("fm-stale"); },
    asked: () => { asked = Date.now(); edited = false; },
    given: () => { if (changed - asked < 500 && !edited) answer()?.classList.remove("fm-stale"); },
  };

  const enlarge = (picture) => {
    const open = picture.classList.toggle("fm-large");
    picture.setAttribute("aria-expanded", String(open));
  };

  /* What a message complained about is being tried anew: the old message goes. */
  const forget = () => document.querySelectorAll(".toast-close").forEach((close) => close.click());

  /* The lists of a page come a moment after it is drawn. What is pressed before, is pressed then,
     unless something was typed since, which is the newer wish. */
  let ready = false;
  let early = null;
  window.fmReady = () => { ready = true; early?.click(); early = null; };
  window.setTimeout(window.fmReady, 5000);
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".gradio-container button:not([data-scheme])");
    if (ready || !button || !event.isTrusted) return;
    event.stopPropagation();
    early = button;
  }, true);
  document.addEventListener("input", () => { early = null; }, true);

  /* A way to mend a finding: which one was pressed is asked for by the button that acts on it. */
  let mending = "";
  window.fmMend = { pressed: () => mending };
  const mend = (button) => {
    mending = `${button.dataset.mend} ${button.dataset.way}`;
    button.closest(".fm-finding, .fm-undo").classList.add("fm-stale");
    document.querySelector("#mend").click();
  };

  document.addEventListener("click", (event) => {
    const way = event.target.closest("[data-mend]");
    if (way) mend(way);
    if (event.target.closest("main button.primary")) forget();
    const link = event.target.closest(".fm-nav a");
    if (link) follow(link);
    if (event.target.closest("[data-scheme]")) scheme();
    const picture = event.target.closest(".fm-picture");
    if (picture) enlarge(picture);
  });
  /* Window presets of a film: show the one that is chosen. */
  document.addEventListener("change", (event) => {
    const group = event.target.closest(".fm-windows");
    if (!group) return;
    group.querySelectorAll("[data-window]").forEach((picture) => {
      picture.hidden = picture.dataset.window !== event.target.value;
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll(".fm-large").forEach(enlarge);
  });
})();
