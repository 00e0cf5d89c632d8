// How numbers and times are written: as ipvsctl does.

const exact = new Intl.NumberFormat("en");

export function number(n) {
  if (n < 100000) return exact.format(n);
  const units = ["K", "M", "G", "T", "P", "E"];
  let i = -1;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return n.toFixed(n < 100 ? 1 : 0) + units[i];
}

export function bytes(n) {
  const units = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return (i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)) + " " + units[i];
}

// span writes milliseconds in the two largest units: "3s", "2m5s", "4h10m", "6d3h".
export function span(ms) {
  const s = Math.max(Math.round(ms / 1000), 0);
  const two = (n, a, big, b) => big + a + (n ? n + b : "");
  if (s >= 86400) return two(Math.floor((s % 86400) / 3600), "d", Math.floor(s / 86400), "h");
  if (s >= 3600) return two(Math.floor((s % 3600) / 60), "h", Math.floor(s / 3600), "m");
  if (s >= 60) return two(s % 60, "m", Math.floor(s / 60), "s");
  return s + "s";
}

// clock writes a moment in the time of who looks, with the day unless that is today.
export function clock(ms) {
  const t = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  const time = two(t.getHours()) + ":" + two(t.getMinutes()) + ":" + two(t.getSeconds());
  if (t.toDateString() === new Date().toDateString()) return time;
  return t.getFullYear() + "-" + two(t.getMonth() + 1) + "-" + two(t.getDate()) + " " + time;
}

// plural writes "1 server", "2 servers".
export function plural(n, word) {
  return number(n) + " " + word + (n === 1 ? "" : "s");
}

// phrase says what is wanted of a server, by whom, why and until when.
export function phrase(wish, now) {
  let s = wish.what + (wish.what === "weight" ? " " + wish.weight : "") + (wish.owner ? " by " + wish.owner : "");
  const t = terms(wish, now);
  return t ? s + ": " + t : s;
}

// terms are the reason of a wish, and how long it holds.
export function terms(wish, now) {
  const list = [];
  if (wish.reason) list.push(wish.reason);
  if (wish.ended) list.push("disabled at its deadline, connections cut: " + wish.cut);
  else if (wish.deadline) list.push("disabled in " + span(wish.deadline - now));
  if (wish.expires) list.push("over in " + span(wish.expires - now));
  return list.join(", ");
}
