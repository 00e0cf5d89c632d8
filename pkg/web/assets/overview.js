// What there is besides services: totals, problems, directors, virtual routers, drains, events.

import { attribute, hide, List, make, state, text } from "./dom.js";
import { bytes, clock, number, plural, span, terms } from "./format.js";
import { Series } from "./chart.js";

const byId = (id) => document.getElementById(id);
const body = (id) => byId(id).querySelector(".body");
const roles = { MASTER: "up", BACKUP: "none", FAULT: "down", INIT: "wait" };

export class Overview {
  constructor(end) {
    this.end = end;
    this.tiles = new Map();
    this.problems = new List(byId("problems").querySelector("ul"), "t-problem", (row, p) => {
      text(row.label, p.label);
      text(row.text, p.text);
    });
    this.directors = new List(body("directors"), "t-director", (row, d) => this.director(row, d));
    this.routers = new List(body("routers"), "t-router", (row, r) => this.router(row, r));
    this.wishes = new List(body("wishes"), "t-wish", (row, w) => this.wish(row, w));
    this.events = new List(body("events"), "t-event", (row, e) => {
      text(row.when, clock(e.at));
      attribute(row.when, "datetime", new Date(e.at).toISOString());
      text(row.kind, e.kind);
      text(row.text, e.text);
    });
  }

  take(answer) {
    const here = answer.here;
    this.now = here.at;
    this.operates = answer.operates;
    text(byId("director"), here.name || "ipvsd");
    document.title = (here.down ? "(" + here.down + " down) " : "") + (here.name || "ipvsd") + " - ipvsd";
    text(byId("about"), "ipvsd " + here.version + ", up for " + span(here.at - here.started) + " · you are " + answer.who + ", who may " +
      (answer.operates ? "operate" : "read"));

    this.tile("Services", number(here.services), here.unserved ? here.unserved + " without a server" : "", here.unserved ? "bad" : "");
    const rest = [[here.down, "down"], [here.unchecked, "unchecked"], [here.drained, "drained"]].filter(([n]) => n > 0);
    this.tile("Servers serving", number(here.serving), "of " + number(here.servers) + rest.map(([n, word]) => ", " + n + " " + word).join(""),
      here.down ? "bad" : "");
    this.tile("Active connections", number(here.active), number(here.inactive) + " inactive");
    this.tile("Connections a second", number(here.rate.connections), "", "", here.rate.connections);
    this.tile("Traffic in", bytes(here.rate.in_bytes), "", "", here.rate.in_bytes);
    this.tile("Traffic out", bytes(here.rate.out_bytes), "", "", here.rate.out_bytes);

    this.problems.show(here.problems, (p) => p.label + p.text);
    hide(byId("problems"), here.problems.length === 0);

    const directors = [{ name: here.name || "this one", here: true, there: here }, ...answer.peers];
    this.directors.show(directors, (d) => (d.here ? "here" : "peer " + d.name));
    hide(byId("directors"), answer.peers.length === 0);

    const groups = here.groups.map((g) => ({ ...g, members: g.members.join(", "), isGroup: true }));
    this.routers.show([...here.routers, ...groups], (r) => (r.isGroup ? "group " : "") + r.name);
    hide(byId("routers"), here.routers.length === 0);

    this.wishes.show(answer.wishes, (w) => [w.server, w.service, w.what === "weight"].join(" "));
    hide(byId("wishes"), answer.wishes.length === 0);

    this.events.show(answer.events, (e) => e.id);
    hide(byId("events"), answer.events.length === 0);
  }

  tile(name, value, more, kind = "", sample) {
    let tile = this.tiles.get(name);
    if (!tile) {
      tile = make("t-tile");
      text(tile.node.querySelector("dt"), name);
      byId("tiles").append(tile.node);
      this.tiles.set(name, tile);
      if (sample !== undefined) {
        tile.series = new Series();
        tile.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        tile.path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        tile.svg.setAttribute("class", "chart wide");
        tile.svg.setAttribute("viewBox", "0 0 59 20");
        tile.svg.setAttribute("preserveAspectRatio", "none");
        tile.svg.setAttribute("aria-hidden", "true");
        tile.svg.append(tile.path);
        tile.node.querySelector("dd").append(tile.svg);
      }
    }
    attribute(tile.node, "class", "tile card " + kind);
    text(tile.value, value);
    if (sample !== undefined) {
      tile.series.add(sample);
      tile.path.setAttribute("d", tile.series.path());
      more = "at most " + (value.endsWith("/s") ? bytes : number)(tile.series.most);
    }
    text(tile.more, more);
  }

  director(row, d) {
    const there = d.there;
    text(row.name, d.name);
    text(row.more, d.here ? "this one" : there && there.name !== d.name ? there.name : "");
    if (!there) {
      for (const slot of ["routers", "servers", "active", "rate"]) text(row[slot], "-");
      text(row.compared, d.asked ? d.error + (d.read ? "; it last answered " + span(this.now - d.read) + " ago" : "") : "asking");
      attribute(row.compared, "class", d.asked ? "trouble" : "dim");
      return;
    }
    text(row.routers, there.routers.map((r) => r.name + " " + r.state).join(", ") || "-");
    text(row.servers, there.serving + " of " + there.servers + " serving" + (there.down ? ", " + there.down + " down" : ""));
    text(row.active, number(there.active));
    text(row.rate, number(there.rate.connections));
    const differ = d.differ ?? 0;
    text(row.compared, d.here ? "-" : differ ? plural(differ, "server") + " in another state" : "the same");
    attribute(row.compared, "class", differ ? "trouble" : "dim");
  }

  router(row, r) {
    text(row.name, r.name);
    text(row.group, r.isGroup ? "group of " + r.members : r.group);
    state(row.state, roles[r.state] ?? "none", r.state);
    text(row.reason, (r.since ? "for " + span(this.now - r.since) : "") + (r.reason ? ": " + r.reason : ""));
    if (r.isGroup) {
      for (const slot of ["priority", "where", "addresses"]) text(row[slot], "-");
      return;
    }
    text(row.priority, r.effective === r.priority ? r.priority : r.effective + "/" + r.priority);
    text(row.where, r.interface + ", VRID " + r.vrid + (r.active ? ", active is " + r.active : ""));
    text(row.addresses, r.addresses.join(", ") || "-");
  }

  wish(row, w) {
    row.item = w;
    if (!row.bound) {
      row.bound = true;
      row.end.addEventListener("click", () => this.end(row.item));
    }
    text(row.server, w.server);
    text(row.service, w.service || "all services");
    state(row.state, { draining: "drain", drained: "off", disabled: "off", "no such server": "down" }[w.state] ?? "wait", w.state);
    text(row.open, w.state === "draining" ? plural(w.open, "connection") + " left" : "");
    text(row.owner, (w.owner || "-") + ", " + span(this.now - w.since) + " ago");
    text(row.why, terms(w, this.now) || "-");
    hide(row.end, !this.operates);
    attribute(row.end, "aria-label", "End the " + w.what + " of " + w.server);
  }
}
