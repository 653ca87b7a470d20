// What lies under the pointer: the same layer or operator lights up in every picture, and is explained beside it.
"use strict";
(() => {
  const units = JSON.parse(document.getElementById("data").textContent).units;
  const tip = document.getElementById("tip");
  let lit = [];

  const size = (bytes) => {
    for (const [unit, name, digits] of [[2 ** 20, "MiB", 2], [2 ** 10, "KiB", 1]])
      if (bytes >= unit) return `${(bytes / unit).toFixed(digits)} ${name}`;
    return `${bytes} B`;
  };

  const lines = (key) => {
    const [unit, member, index] = key.split(".").map(Number);
    const model = units[unit].members[member];
    const operator = model.operators[index];
    const found = [operator ? `${index} ${operator.name}` : model.name];
    if (model.tensors[index]) found.push(model.tensors[index]);
    if (operator) found.push(operator.target === "edgetpu" ? "on the Edge TPU" : `on the CPU: ${operator.reason}`);
    for (const layer of model.layers)
      if (layer.index === index)
        found.push(`${layer.confidence === "estimated" ? "~" : ""}${size(layer.bytes)} ${layer.placement}: ${layer.reason}`);
    return found;
  };

  const hide = () => {
    lit.forEach((shape) => shape.classList.remove("lit"));
    lit = [];
    tip.hidden = true;
  };

  const show = (shape, x, y) => {
    hide();
    const key = shape.dataset.k;
    lit = [...document.querySelectorAll(`[data-k="${key}"]`)];
    lit.forEach((other) => other.classList.add("lit"));
    tip.replaceChildren(...lines(key).map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8));
    const top = y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18;
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.max(8, top)}px`;
  };

  document.addEventListener("pointermove", (event) => {
    const shape = event.target.closest("[data-k]");
    if (shape) show(shape, event.clientX, event.clientY);
    else if (lit.length) hide();
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  const open = [];
  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details:not([open])")) open.push(fold), (fold.open = true);
  });
  addEventListener("afterprint", () => open.splice(0).forEach((fold) => (fold.open = false)));
})();
