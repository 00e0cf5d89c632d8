// The table of services. A service is a row, and below it the table of its servers once it has been opened.

import { attribute, hide, List, make, state, text } from "./dom.js";
import { bytes, number, phrase, span } from "./format.js";
import { Series } from "./chart.js";

const wished = ["draining", "drained", "disabled"]; // by an operator
const troubles = ["down", "unchecked"];
const batch = 40; // rows that are made before the browser may do something else

export class Services {
  // drain and end are called with a service and a server, and with a wish.
  constructor(table, { find, show, sort, count }, drain, end) {
    Object.assign(this, { table, find, show, sort, count, drain, end });
    this.known = new Map(); // by key
    this.made = 0; // so many rows, those that are gone included
    this.order = [];
    this.seen = new IntersectionObserver((list) => this.scrolled(list), { rootMargin: "200px" });
    find.addEventListener("input", () => this.filter());
    show.addEventListener("change", () => this.filter());
    sort.addEventListener("change", () => this.arrange());
    find.form.addEventListener("submit", (e) => e.preventDefault());
  }

  // take shows what has changed. It returns what is new about the health of servers, in words.
  async take(answer) {
    this.now = answer.here.at;
    this.operates = answer.operates;
    const changes = [];
    const first = this.known.size === 0;
    const changed = new Set();
    let n = 0;
    for (const service of answer.services) {
      changed.add(service.key);
      let item = this.known.get(service.key);
      if (!item) {
        item = this.add(service);
        if (++n % batch === 0) await new Promise(requestAnimationFrame);
      } else {
        changes.push(...differences(item.service, service));
      }
      item.service = service;
      this.paint(item);
    }
    if (answer.order) this.reorder(answer.order, first);
    for (const item of this.known.values()) {
      item.series.add(item.service.rate.connections);
      if (item.visible) this.draw(item);
      if (item.list && item.opened && !changed.has(item.service.key)) this.servers(item); // times go on
    }
    this.filter();
    return changes;
  }

  add(service) {
    const item = { row: make("t-service"), series: new Series(), service, opened: false, visible: false };
    item.row.node.id = "service-" + this.made++;
    item.row.open.addEventListener("click", () => this.toggle(item));
    item.row.node.item = item;
    this.known.set(service.key, item);
    this.table.append(item.row.node);
    this.seen.observe(item.row.node);
    return item;
  }

  reorder(order, first) {
    this.order = order;
    const left = new Set(order);
    for (const [key, item] of this.known) {
      if (left.has(key)) continue;
      this.seen.unobserve(item.row.node);
      item.row.node.remove();
      this.known.delete(key);
    }
    if (first && order.length <= 6) order.forEach((key) => this.toggle(this.known.get(key)));
    this.arrange();
  }

  // arrange puts the rows into the order that is asked for. They stay in it until somebody asks again, lest they jump about while they are read.
  arrange() {
    const items = this.order.map((key) => this.known.get(key));
    const by = {
      trouble: (a, b) => trouble(b.service) - trouble(a.service),
      name: (a, b) => a.service.key.localeCompare(b.service.key, "en", { numeric: true }),
      active: (a, b) => b.service.active - a.service.active,
      rate: (a, b) => b.service.rate.connections - a.service.rate.connections,
      traffic: (a, b) => traffic(b.service) - traffic(a.service),
    }[this.sort.value];
    if (by) items.sort(by);
    let place = this.table.firstElementChild.nextElementSibling; // after the head
    for (const item of items) {
      if (item.row.node === place) place = place.nextElementSibling;
      else this.table.insertBefore(item.row.node, place);
    }
  }

  filter() {
    const words = this.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of this.known.values()) {
      const s = item.service;
      const fits =
        (this.show.value === "all" || (this.show.value === "trouble" ? trouble(s) > 0 : s.servers.some((r) => r.wishes.length > 0))) &&
        (words.length === 0 || words.every((w) => haystack(item).includes(w)));
      hide(item.row.node, !fits);
      if (fits) shown++;
    }
    const all = this.known.size;
    text(this.count, shown === all ? all + (all === 1 ? " service" : " services") : shown + " of " + all + " services");
  }

  scrolled(list) {
    for (const entry of list) {
      const item = entry.target.item;
      item.visible = entry.isIntersecting;
      if (item.visible) this.draw(item);
    }
  }

  draw(item) {
    const d = item.series.path();
    if (item.drawn === d) return;
    item.drawn = d;
    item.row.chart.setAttribute("d", d);
  }

  toggle(item) {
    item.opened = !item.opened;
    if (item.opened && !item.list) {
      item.inside = make("t-servers");
      item.inside.node.id = item.row.node.id + "-servers";
      item.inside.table.setAttribute("aria-label", "Servers of " + item.service.key);
      item.row.node.append(item.inside.node);
      item.row.open.setAttribute("aria-controls", item.inside.node.id);
      item.list = new List(item.inside.body, "t-server", (row, r) => this.server(item, row, r));
    }
    if (item.opened) this.servers(item);
    hide(item.inside.node, !item.opened);
    attribute(item.row.open, "aria-expanded", String(item.opened));
  }

  paint(item) {
    const { row, service: s } = item;
    item.words = null;
    text(row.key, s.key);
    text(row.options, (s.group ? s.name + ", " : "") + s.options);
    state(row.serving, { ok: "up", some: "some", none: "down" }[s.state], s.serving + " of " + s.all);
    text(row.notes, summary(s));
    text(row.peers, peers(s));
    text(row.active, number(s.active));
    text(row.rate, number(s.rate.connections));
    text(row.in, bytes(s.rate.in_bytes));
    text(row.out, bytes(s.rate.out_bytes));
    if (item.opened && item.list) this.servers(item);
  }

  servers(item) {
    item.list.show(item.service.servers, (r) => r.address + (r.sorry ? " sorry" : ""));
  }

  server(item, row, r) {
    const s = item.service;
    row.server = r;
    if (!row.bound) {
      row.bound = true;
      row.drain.addEventListener("click", () => this.drain(item.service, row.server));
      row.end.addEventListener("click", () => this.end(row.server.wishes.find((w) => w.what !== "weight")));
    }
    text(row.address, r.address);
    text(row.more, [r.name, ...r.tags.map((t) => "#" + t), r.forward, r.sorry ? "sorry server" : ""].filter(Boolean).join(" · "));
    state(row.state, kinds[r.state] ?? "none", r.state);
    const since = wished.includes(r.state) ? r.wishes[0].since : r.since;
    text(row.for, since ? "for " + span(this.now - since) : "");
    const why = r.wishes.map((w) => phrase(w, this.now));
    if (r.why) why.push(r.why);
    if (r.slow_start > this.now) why.push("slow start, full weight in " + span(r.slow_start - this.now));
    text(row.why, why.join("; "));
    text(row.elsewhere, r.elsewhere.join(", "));
    text(row.weight, (r.present ? r.now : "-") + (r.present && r.now === r.weight ? "" : "/" + r.weight));
    const counts = [["active", number(r.active)], ["inactive", number(r.inactive)], ["rate", number(r.rate.connections)],
      ["in", bytes(r.rate.in_bytes)], ["out", bytes(r.rate.out_bytes)]];
    for (const [slot, value] of counts) text(row[slot], r.present ? value : "-");
    hide(row.drain, !this.operates || r.restorable || r.sorry);
    hide(row.end, !this.operates || !r.restorable);
    attribute(row.drain, "aria-label", "Drain " + r.address + " of " + s.key);
    attribute(row.end, "aria-label", "End the drain of " + r.address + " of " + s.key);
  }
}

const kinds = { up: "up", "no check": "up", down: "down", unchecked: "wait", draining: "drain", drained: "off", disabled: "off", off: "off" };

const traffic = (s) => s.rate.in_bytes + s.rate.out_bytes;

// trouble is how bad a service has it.
function trouble(s) {
  return (s.state === "none" ? 1000 : 0) + s.notes.length * 10 + s.servers.filter((r) => troubles.includes(r.state) || r.elsewhere.length > 0).length;
}

// summary says what is wrong with a service, for who has not opened it.
function summary(s) {
  const list = [...s.notes];
  const bad = s.servers.filter((r) => r.state === "down" && !r.sorry);
  for (const r of bad.slice(0, 2)) list.push(r.address + " down" + (r.why ? ": " + r.why : ""));
  if (bad.length > 2) list.push(bad.length - 2 + " more down");
  return list.join("; ");
}

function peers(s) {
  const list = Object.entries(s.peers).map(([name, p]) => name + ": " + p.serving + " of " + p.all);
  return list.join(", ") || "-";
}

// haystack is what a service is found by.
function haystack(item) {
  const s = item.service;
  item.words ??= [s.key, s.name, s.options, ...s.servers.flatMap((r) => [r.address, r.name, ...r.tags])].join(" ").toLowerCase();
  return item.words;
}

// differences says which servers of a service have come up or gone down.
function differences(before, after) {
  const was = new Map(before.servers.map((r) => [r.address, r.state]));
  const list = [];
  for (const r of after.servers) {
    const from = was.get(r.address);
    if (from && from !== r.state) {
      list.push(r.address + " of " + after.key + " is " + r.state + (r.state === "down" && r.why ? ": " + r.why : ""));
    }
  }
  return list;
}
