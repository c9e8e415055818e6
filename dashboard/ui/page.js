// Asks every node of this process how it is, every two seconds, and shows it. Text from nodes is only ever set as text.
"use strict";

const every = 2000; // milliseconds between two times that the nodes are asked
const patience = 5000; // milliseconds that an answer may take
const before = new Map(); // node -> its numbers when it was asked last, and when that was
let answered = null; // when the page was answered last

const find = (id) => document.getElementById(id);
const count = (n) => (n ?? 0).toLocaleString("en");

async function get(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(patience), cache: "no-store" });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.description ?? "HTTP " + answer.status);
  return body;
}

// ask returns a node's status, or one that says why there is none.
async function ask(node) {
  try {
    return await get("../status/" + encodeURIComponent(node));
  } catch (err) {
    return { node, state: "silent", reason: err.message, lost: true, peers: [], counters: {} };
  }
}

// numbers returns all that a node counts.
const numbers = (status) => ({ events: status.events, ...status.counters });

// rate returns how much a number grows in a second, once it has been seen twice. A node that was started anew counts anew.
function rate(status, name) {
  const last = before.get(status.node);
  if (last === undefined) return undefined;
  const grown = (numbers(status)[name] ?? 0) - (last.numbers[name] ?? 0);
  return grown < 0 ? undefined : (grown * 1000) / (status.at - last.at);
}

function dropped(counters) {
  const names = Object.keys(counters ?? {}).filter((name) => name === "dropped" || name.startsWith("bus_dropped_"));
  return names.reduce((sum, name) => sum + counters[name], 0);
}

function element(kind, text, style) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (style) made.className = style;
  return made;
}

function counted(status, name) {
  const cell = element("td", count(numbers(status)[name]), "number");
  const perSecond = rate(status, name);
  if (perSecond !== undefined) cell.append(element("small", perSecond.toFixed(perSecond < 10 ? 1 : 0) + "/s"));
  return cell;
}

function stateCell(status) {
  const style = { ready: "good", starting: "warn", catching_up: "warn", draining: "warn" }[status.state] ?? "bad";
  const cell = element("td", "", "reason");
  cell.append(element("span", status.state.replace("_", " "), status.reason ? "bad" : style));
  if (status.reason) cell.append(element("small", status.reason));
  return cell;
}

function nodeRow(status) {
  const row = element("tr", "");
  const name = element("th", status.node);
  name.scope = "row";
  row.append(name, stateCell(status));
  if (status.lost) {
    const unknown = element("td", "not known");
    unknown.colSpan = 9;
    row.append(unknown);
    return row;
  }
  const peers = status.peers ?? [];
  const reached = peers.filter((peer) => !peer.suspected).length;
  row.append(element("td", reached + " of " + peers.length, reached < peers.length ? "number bad" : "number"));
  row.append(counted(status, "events"), element("td", count(status.in_flight), "number"));
  row.append(counted(status, "fast"), counted(status, "slow"), counted(status, "recovered"), counted(status, "resent"));
  row.append(element("td", count(dropped(status.counters)), "number"));
  row.append(frontierCell(status));
  return row;
}

function frontierCell(status) {
  const cell = element("td", "");
  cell.append(element("code", status.frontier_at ? status.frontier : "none yet"));
  const behind = Date.parse(status.last_at) - Date.parse(status.frontier_at);
  if (behind > 0) cell.append(element("small", count(behind) + " ms behind the last event"));
  return cell;
}

function peerRows(status) {
  return (status.peers ?? []).map((peer) => {
    const row = element("tr", "");
    const name = element("th", status.node);
    name.scope = "row";
    row.append(name, element("td", peer.node));
    row.append(peer.suspected ? element("td", "suspected", "bad") : element("td", "yes", "good"));
    row.append(element("td", count(peer.lag), "number"));
    return row;
  });
}

function show(statuses) {
  const known = statuses.find((status) => !status.lost);
  if (known) {
    find("cluster").textContent = [known.cluster, known.version].filter(Boolean).join(" · ");
    document.title = "accord: " + statuses.map((status) => status.node + " " + status.state).join(", ");
  }
  find("nodes").replaceChildren(...statuses.map(nodeRow));
  find("peers").replaceChildren(...statuses.flatMap(peerRows));
  alarms(statuses.filter((status) => status.alarm).map((status) => status.node + ": " + status.alarm));
}

// alarms changes what is alarming only if it is something else, because it is read aloud.
function alarms(all) {
  const list = find("alarms");
  if (list.dataset.shown === all.join("\n")) return;
  list.dataset.shown = all.join("\n");
  list.hidden = all.length === 0;
  list.replaceChildren(...all.map((text) => element("li", text)));
}

function seen(text, bad) {
  const line = find("seen");
  if (line.textContent !== text) line.textContent = text;
  line.className = bad ? "bad" : "";
}

async function refresh() {
  try {
    const nodes = await get("nodes.json");
    const statuses = await Promise.all(nodes.map(ask));
    for (const status of statuses) status.at = performance.now();
    show(statuses);
    for (const status of statuses) if (!status.lost) before.set(status.node, { at: status.at, numbers: numbers(status) });
    answered = new Date();
    seen("Asked again every 2 seconds.", false);
  } catch (err) {
    seen((answered ? "Nothing new since " + answered.toLocaleTimeString() : "No answer yet") + ": " + err.message, true);
  }
  setTimeout(refresh, every);
}

refresh();
