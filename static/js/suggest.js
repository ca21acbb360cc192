// A search box with data-suggest, the address of suggestions, becomes a combobox: it suggests
// names and values at the cursor. Without JavaScript it stays a search box.
const enhance = () => document.querySelectorAll("input[data-suggest]:not([role])").forEach(suggest);
document.addEventListener("htmx:load", enhance); // also when Back brings a new box
enhance();

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

function suggest(box) {
  const list = document.createElement("ul");
  const id = `${box.id}-suggestions`;
  let offers = [], active = -1, timer = 0, asked = 0, about = "";
  set(list, { id, class: "suggestions", hidden: "", role: "listbox", "aria-label": "Suggestions" });
  set(box, { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id });
  box.after(list);

  // The server counts characters, the browser halves of some.
  const before = (end) => [...box.value.slice(0, end)].length;
  const cut = (start, end) => [...box.value].slice(start, end).join("");

  async function ask() {
    const mine = ++asked;
    const text = box.value;
    const query = new URLSearchParams({ q: text, position: before(box.selectionEnd) });
    const answer = await fetch(`${box.dataset.suggest}?${query}`).catch(() => null);
    const found = answer?.ok ? (await answer.json()).suggestions : [];
    if (mine !== asked || document.activeElement !== box) return;
    about = text;
    show(found);
  }

  const later = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(ask, wait);
  };

  function show(found) {
    offers = found;
    list.replaceChildren(...found.map((offer, place) => {
      const option = document.createElement("li");
      const label = document.createElement("b");
      const help = document.createElement("span");
      label.textContent = offer.label;
      help.textContent = offer.help;
      set(option, { id: `${id}-${place}`, role: "option" });
      option.append(label, " ", help);
      option.addEventListener("click", () => take(place));
      return option;
    }));
    list.hidden = found.length === 0;
    set(box, { "aria-expanded": !list.hidden });
    point(-1);
  }

  function point(place) {
    active = place;
    [...list.children].forEach((option, at) => set(option, { "aria-selected": at === place }));
    if (place < 0) return void box.removeAttribute("aria-activedescendant");
    set(box, { "aria-activedescendant": `${id}-${place}` });
    list.children[place].scrollIntoView({ block: "nearest" });
  }

  const close = () => {
    clearTimeout(timer);
    asked += 1; // what comes is late
    show([]);
  };

  function take(place) {
    if (box.value !== about) return later(0); // somebody types faster than we answer
    const { kind, text, start, end } = offers[place];
    const head = cut(0, start) + text;
    box.value = head + cut(end);
    box.setSelectionRange(head.length, head.length);
    close();
    box.dispatchEvent(new Event("input", { bubbles: true }));
    if (kind === "key") later(0);
    else clearTimeout(timer);
  }

  // What answers true has not used the key: Enter searches then, and Tab goes on.
  const keys = {
    ArrowDown: () => (list.hidden ? ask() : point((active + 2) % (offers.length + 1) - 1)),
    ArrowUp: () => list.hidden || point((active + offers.length + 1) % (offers.length + 1) - 1),
    Escape: () => list.hidden || close(),
    Enter: () => active < 0 || take(active),
    Tab: () => active < 0 || take(active),
  };
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key in keys && keys[event.key]() !== true) event.preventDefault();
  });
  box.addEventListener("input", (event) => event.isComposing || later(150));
  box.addEventListener("blur", close);
  box.form.addEventListener("submit", close);
  list.addEventListener("pointerdown", (event) => event.preventDefault());
}
