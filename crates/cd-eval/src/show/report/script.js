"use strict";
(() => {
  const orders = [
    ["most suspicious first", (a, b) => a.rank - b.rank],
    ["least suspicious first", (a, b) => b.rank - a.rank],
    ["by name", (a, b) => a.name.localeCompare(b.name)],
    ["by class", (a, b) => a.label.localeCompare(b.label) || a.rank - b.rank],
  ];
  const make = (tag, text, parent) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };
  const labelled = (bar, text, control) => {
    const label = make("label", text + " ", bar);
    label.append(control);
    control.addEventListener("input", () => bar.dispatchEvent(new Event("change")));
    return control;
  };
  const choice = (names) => {
    const select = make("select", "");
    for (const name of names) make("option", name, select);
    return select;
  };
  const read = (element) => {
    if (element.dataset.rank) {
      const { rank, name, label, state } = element.dataset;
      return { element, rank: Number(rank), name, label, state: state.split(" ") };
    }
    const [rank, name, label] = [...element.cells].map((cell) => cell.textContent);
    return { element, rank: Number(rank), name, label, state: [] };
  };
  for (const list of document.querySelectorAll("[data-items]")) {
    const items = [...list.children].map(read);
    if (items.length < 2) continue;
    const bar = make("div", "");
    bar.className = "tools";
    bar.setAttribute("role", "search");
    const text = labelled(bar, "Search", make("input", ""));
    text.type = "search";
    const labels = [...new Set(items.map((item) => item.label))].sort();
    const label = labelled(bar, "Class", choice(["all", ...labels]));
    const states = [...new Set(items.flatMap((item) => item.state))].filter((state) => state);
    const state = labelled(bar, "Show", choice(["all", ...states]));
    if (!states.length) state.parentElement.hidden = true;
    const order = labelled(bar, "Sort", choice(orders.map(([name]) => name)));
    if (list.dataset.items === "least") order.selectedIndex = 1;
    const told = make("span", "", bar);
    told.setAttribute("aria-live", "polite");
    const update = () => {
      const wanted = text.value.trim().toLowerCase();
      let shown = 0;
      for (const item of items) {
        const fits =
          (item.name + " " + item.label).toLowerCase().includes(wanted) &&
          (!label.selectedIndex || item.label === label.value) &&
          (!state.selectedIndex || item.state.includes(state.value));
        item.element.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      items.sort(orders[order.selectedIndex][1]);
      list.append(...items.map((item) => item.element));
      told.textContent = shown + " of " + items.length + " shown";
    };
    bar.addEventListener("change", update);
    (list.closest(".scroll") || list).before(bar);
    update();
  }
})();
