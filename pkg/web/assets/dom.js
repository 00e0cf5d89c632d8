// What the other modules change the page with. Text is only ever set as text, and only where it differs: what has not changed costs nothing.

// make clones a template and returns its element with the elements in it that have a data-slot.
export function make(id) {
  const node = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const slots = { node };
  for (const slot of node.querySelectorAll("[data-slot]")) slots[slot.dataset.slot] = slot;
  return slots;
}

export function text(node, value) {
  const s = String(value ?? "");
  if (node.textContent !== s) node.textContent = s;
}

export function hide(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

export function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// state shows a state: the class gives it a colour and a shape, the word says what it is.
export function state(node, kind, word) {
  const name = "state " + kind;
  if (node.className !== name) node.className = name;
  text(node, word);
}

// List keeps the children of an element: one for each item, by key, in the order of the items.
export class List {
  constructor(parent, template, update) {
    Object.assign(this, { parent, template, update, rows: new Map() });
  }

  show(items, key) {
    const gone = new Set(this.rows.keys());
    let place = this.parent.firstElementChild;
    for (const item of items) {
      const k = key(item);
      let row = this.rows.get(k);
      if (!row) {
        row = make(this.template);
        this.rows.set(k, row);
      }
      gone.delete(k);
      this.update(row, item);
      if (row.node === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row.node, place);
    }
    for (const k of gone) {
      this.rows.get(k).node.remove();
      this.rows.delete(k);
    }
  }
}
