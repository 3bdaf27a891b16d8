/* The fields of values on the page Predict. What is read when an answer is asked for is what stands
   in the fields at that moment: nothing is kept in between that could be older. */
(() => {
  const PAUSE = 350; // ms after the last key, before the studio is asked what it thinks of a value
  const INCOMPLETE = "(incomplete date)"; // a browser gives no text for half a date

  const fields = () => [...document.querySelectorAll(".fm-values [data-value]")];
  const key = (control) => `${control.dataset.of}\n${control.dataset.value}`;
  const stands = (control) => (control.validity?.badInput ? INCOMPLETE : control.value.trim());

  /* What was typed, for when another adapter's form takes the place of this one. */
  const typed = new Map();
  const remember = (control) => {
    if (control.value) typed.set(key(control), control.value);
    else typed.delete(key(control));
  };

  const unmark = (control) => {
    const field = control.closest(".fm-field");
    field.classList.remove("fm-stop", "fm-warning", "fm-plain");
    control.removeAttribute("aria-invalid");
    field.querySelector(".fm-said").replaceChildren();
  };

  const mark = (control, told) => {
    const field = control.closest(".fm-field");
    unmark(control);
    field.classList.add(`fm-${told.tone}`);
    if (told.tone === "stop") control.setAttribute("aria-invalid", "true");
    const said = field.querySelector(".fm-said");
    said.append(told.said);
    if (told.offer === undefined) return;
    const use = document.createElement("button");
    use.type = "button";
    use.textContent = `Use ${told.offer} ${told.unit}`.trim();
    use.addEventListener("click", () => { put(control, told.offer); control.focus(); });
    said.append(" ", use);
  };

  const put = (control, text) => {
    control.value = text;
    control.dispatchEvent(new Event("input", { bubbles: true }));
    look(0);
  };

  let waiting = 0;
  const look = (pause) => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => document.querySelector("#look-at-values")?.click(), pause);
  };

  window.fmValues = {
    stands: () => JSON.stringify(
      fields().map((one) => [one.dataset.of, one.dataset.value, stands(one)]).filter((one) => one[2]),
    ),
    mark: (marks) => {
      const told = new Map(JSON.parse(marks || "[]").map((one) => [`${one.of}\n${one.name}`, one]));
      for (const control of fields()) {
        const own = told.get(key(control));
        if (own?.text === stands(control)) mark(control, own);
        else if (!own) unmark(control);
      }
    },
    clear: () => {
      typed.clear();
      for (const control of fields()) { control.value = ""; unmark(control); }
      fresh();
    },
  };

  /* A form that has just come: a filled one says what is typed, an empty one is told. */
  const fresh = () => {
    for (const form of document.querySelectorAll(".fm-values")) {
      if (!form.hasAttribute("data-known")) {
        form.setAttribute("data-known", "");
        take(form);
      }
      kept(form);
    }
  };
  const take = (form) => {
    const controls = [...form.querySelectorAll("[data-value]")];
    if (form.hasAttribute("data-filled")) {
      for (const one of [...typed.keys()]) if (one.startsWith(`${form.dataset.modality}\n`)) typed.delete(one);
      controls.forEach(remember);
    } else {
      for (const control of controls) if (typed.has(key(control))) control.value = typed.get(key(control));
    }
    for (const group of form.querySelectorAll(".fm-group")) {
      if ([...group.querySelectorAll("[data-value]")].some((one) => one.value)) group.open = true;
    }
    look(0);
  };
  const kept = (form) => {
    const there = new Map([...form.querySelectorAll("[data-value]")].map((one) => [key(one), one.value]));
    const start = `${form.dataset.modality}\n`;
    const lost = [...typed].filter(([one, text]) => one.startsWith(start) && there.get(one) !== text);
    const line = form.querySelector(".fm-kept");
    line.hidden = !lost.length;
    const words = lost.map(([one, text]) => `${one.slice(start.length)} ${text}`).join(", ");
    line.textContent = `Typed before and not used by this adapter: ${words}.`;
  };
  new MutationObserver(() => {
    if (document.querySelector(".fm-values:not([data-known])")) fresh();
  }).observe(document, { childList: true, subtree: true });

  const narrow = (box) => {
    const form = box.closest(".fm-values");
    const wanted = box.value.trim().toLowerCase();
    for (const field of form.querySelectorAll(".fm-field")) {
      const label = field.querySelector("label");
      field.hidden = !`${label.textContent} ${label.title}`.toLowerCase().includes(wanted);
    }
    let any = false;
    form.querySelectorAll(".fm-group").forEach((group, place) => {
      const found = [...group.querySelectorAll(".fm-field")];
      const some = found.some((one) => !one.hidden);
      any ||= some;
      group.hidden = !some;
      group.open = wanted ? some : place === 0 || found.some((one) => one.querySelector("[data-value]").value);
    });
    form.querySelector(".fm-none").hidden = any;
  };

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-find]")) narrow(event.target);
    const control = event.target.closest?.(".fm-values [data-value]");
    if (!control) return;
    remember(control);
    unmark(control);
    window.fmAnswer?.edited();
    look(PAUSE);
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest?.(".fm-values [data-value]")) look(0);
  });

  /* Typing replaces: the first click into a field takes all of it, a second one sets the caret. */
  let entered = null;
  document.addEventListener("mousedown", (event) => {
    const control = event.target.closest?.('.fm-values input[type="text"]');
    entered = control && control !== document.activeElement ? control : null;
  });
  document.addEventListener("mouseup", () => { entered?.select(); });
  document.addEventListener("dblclick", (event) => {
    event.target.closest?.('.fm-values input[type="text"]')?.select();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches?.(".fm-values input[data-value]")) return;
    event.preventDefault();
    look(0);
    const seen = fields().filter((one) => one.offsetParent);
    const next = seen[seen.indexOf(event.target) + 1];
    if (!next) return;
    next.focus();
    if (next.type === "text") next.select();
  });
})();
