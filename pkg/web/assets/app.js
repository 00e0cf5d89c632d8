// The page: asks the daemon every two seconds what has changed, and shows it.

import { hide, state, text } from "./dom.js";
import { Dialog } from "./dialog.js";
import { Overview } from "./overview.js";
import { Services } from "./services.js";

const every = 2000; // milliseconds
const byId = (id) => document.getElementById(id);

let position = ""; // of the last answer
let paused = false;
let timer;
let asking = false;
let knocks = 0; // how often somebody was asked who is there: what was on its way then is not shown

const dialog = new Dialog(send);
const overview = new Overview((wish) => dialog.end(wish));
const services = new Services(document.querySelector(".services"), { find: byId("find"), show: byId("show"), sort: byId("sort"), count: byId("count") },
  (service, server) => dialog.drain(service, server), (wish) => dialog.end(wish));

class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

// ask returns the answer to a request; one that is no success is an error with the words of the daemon.
async function ask(path, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { signal: AbortSignal.timeout(30000), ...(body && post) });
  } catch (e) {
    throw new Error(e.name === "TimeoutError" ? "the daemon does not answer" : "the daemon can't be reached");
  }
  if (!answer.ok) throw new Refused(answer.status, (await answer.text()).trim());
  return answer.status === 204 ? null : answer.json();
}

async function refresh() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  const before = knocks;
  try {
    const answer = await ask("/page/state" + (position ? "?since=" + position : ""));
    if (knocks !== before) return;
    await show(answer);
    state(byId("pulse"), paused ? "off" : "up", paused ? "paused" : "live");
  } catch (e) {
    if (knocks !== before) return;
    if (e.status === 401) return knock();
    state(byId("pulse"), "down", e.message);
  } finally {
    asking = false;
    if (!paused && byId("login").hidden) timer = setTimeout(refresh, document.hidden ? 5 * every : every);
  }
}

async function show(answer) {
  hide(byId("login"), true);
  hide(byId("page"), false);
  hide(byId("pause"), false);
  hide(byId("logout"), !answer.leaves);
  overview.take(answer);
  const changes = await services.take(answer);
  position = answer.position;
  if (changes.length > 3) say(changes.length + " servers are in another state now");
  else if (changes.length) say(changes.join("; "));
}

// say tells who listens to the page rather than look at it.
function say(words) {
  text(byId("news"), words);
}

// knock asks who is there.
function knock() {
  knocks++;
  hide(byId("page"), true);
  for (const id of ["pause", "logout"]) hide(byId(id), true);
  state(byId("pulse"), "none", "not logged in");
  text(byId("director"), "ipvsd");
  text(byId("about"), "");
  document.title = "ipvsd";
  position = "";
  if (!byId("login").hidden) return;
  hide(byId("login"), false);
  byId("dialog").close();
  byId("token").focus();
}

async function send(order) {
  const answer = await ask("/v1/wishes", order);
  const did = { drain: "Draining ", disable: "Disabled ", enable: "Enabled ", weight: "Weight as configured: " }[order.verb] + order.server;
  say([did, ...(answer.warnings ?? [])].join("; "));
  clearTimeout(timer);
  timer = setTimeout(refresh, 1000); // what the daemon told last it tells again for a second
}

byId("login").querySelector("form").addEventListener("submit", async (e) => {
  e.preventDefault();
  const error = byId("login").querySelector(".error");
  text(error, "");
  try {
    await ask("/page/login", { token: byId("token").value.trim() });
    byId("token").value = "";
    hide(byId("login"), true);
    refresh();
  } catch (err) {
    text(error, err.message);
  }
});

byId("logout").addEventListener("click", async () => {
  clearTimeout(timer);
  await ask("/page/logout", {}).catch(() => {});
  knock();
});

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  clearTimeout(timer);
  state(byId("pulse"), paused ? "off" : "up", paused ? "paused" : "live");
  if (!paused) refresh();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused && byId("login").hidden) refresh();
});

refresh();
