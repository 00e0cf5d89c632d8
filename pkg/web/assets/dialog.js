// The dialog that asks before anything happens to a server.

import { hide, text } from "./dom.js";
import { number, plural } from "./format.js";

const byId = (id) => document.getElementById(id);

export class Dialog {
  // send posts an order and returns what to say of it.
  constructor(send) {
    this.send = send;
    this.node = byId("dialog");
    this.form = this.node.querySelector("form");
    this.error = this.node.querySelector(".error");
    byId("dialog-cancel").addEventListener("click", () => this.node.close());
    this.form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.submit();
    });
    this.form.addEventListener("change", () => this.changed());
  }

  drain(service, server) {
    const others = service.servers.filter((r) => r !== server && !r.sorry && r.present && r.now > 0).length;
    this.open("Drain " + server.address + "?", (server.name || "It") + " has " + plural(server.active, "active connection") + " and " +
      number(server.inactive) + " inactive of " + service.key + ". " +
      (others === 1 ? "1 other server serves there." : others + " other servers serve there."));
    text(byId("dialog-last"), others ? "" : "No other server serves there: with this one gone, clients are refused.");
    hide(byId("dialog-last"), others > 0);
    hide(byId("dialog-drain"), false);
    text(byId("dialog-one"), "Only " + service.name);
    const fields = this.form.elements;
    this.order = () => ({
      verb: fields.verb.value,
      server: server.address,
      ...(fields.where.value === "one" && { service: service.name }),
      ...(fields.verb.value === "drain" && fields.deadline.value !== "0" && { deadline: fields.deadline.value * 1e9 }),
      ...(fields.expires.value !== "0" && { expires: fields.expires.value * 1e9 }),
      ...(fields.reason.value.trim() && { reason: fields.reason.value.trim() }),
    });
    this.changed();
  }

  end(wish) {
    const what = wish.what === "weight" ? "weight " + wish.weight : wish.what;
    this.open("End the " + what + " of " + wish.server + "?", "Of " + (wish.service || "all services") + (wish.owner ? ", by " + wish.owner : "") +
      (wish.reason ? ": " + wish.reason : "") + ". " + (wish.what === "weight" ? "The configured weight holds again." : "It gets new clients again if its checks pass."));
    hide(byId("dialog-last"), true);
    hide(byId("dialog-drain"), true);
    text(byId("dialog-do"), "End it");
    this.order = () => ({ verb: wish.what === "weight" ? "weight" : "enable", server: wish.server, ...(wish.service && { service: wish.service }) });
  }

  open(title, words) {
    this.form.reset();
    text(this.error, "");
    text(byId("dialog-title"), title);
    text(byId("dialog-text"), words);
    byId("dialog-do").disabled = false;
    this.node.showModal();
  }

  changed() {
    if (byId("dialog-drain").hidden) return;
    const drains = this.form.elements.verb.value === "drain";
    hide(byId("dialog-deadline"), !drains);
    text(byId("dialog-do"), drains ? "Drain" : "Disable");
  }

  async submit() {
    byId("dialog-do").disabled = true;
    text(this.error, "");
    try {
      await this.send(this.order());
      this.node.close();
    } catch (e) {
      text(this.error, e.message);
    }
    byId("dialog-do").disabled = false;
  }
}
