// Everything works without this script; it saves steps: keys, changes shown in place, search as one types, a page that
// follows what an editor writes. It talks to this server alone.
const FOLLOW_MS = 250;
const $ = (what, where = document) => where.querySelector(what);
const all = (what, where = document) => [...where.querySelectorAll(what)];
const dialog = $("#dialog");
const main = () => $("#main");
let stamp = document.body.dataset.stamp;
let saidFor;

function say(text) {
  const said = $("#said");
  said.textContent = text;
  clearTimeout(saidFor);
  saidFor = setTimeout(() => (said.textContent = ""), 4000);
}

// pages

async function load(address, options = {}) {
  const answer = await fetch(address, { credentials: "same-origin", ...options });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { answer, page };
}

// Put the middle and the side of a loaded page in the place of what is shown; the line one is at stays chosen.
function show(page, address) {
  if (!page.querySelector("#main")) return location.reload();
  const { at, number } = chosen;
  const open = all("details[open] > summary").map((one) => one.textContent);
  main().innerHTML = $("#main", page).innerHTML;
  const side = $(".side", page);
  const typed = $(".side .search input");
  if (side && document.activeElement !== typed) $(".side").innerHTML = side.innerHTML;
  for (const summary of all("details > summary")) if (open.includes(summary.textContent)) summary.parentElement.open = true;
  stamp = page.body.dataset.stamp;
  document.title = page.title;
  if (address && address !== location.href) history.replaceState(null, "", address);
  const line = at && all(LINES).find((one) => one.dataset.e?.endsWith(at));
  const there = lines();
  if (line) choose(line, false);
  else if (number >= 0 && there.length) choose(there[Math.min(number, there.length - 1)], false);
  measure();
  enliven();
}

const isTyping = () => main().contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
const isBusy = () => dialog.open || isTyping() || Boolean($("[data-still]"));

let following = false;
async function follow() {
  if (document.hidden || dialog.open || following) return;
  following = true;
  try {
    const now = await (await fetch("/now", { credentials: "same-origin" })).json();
    if ($("#waiting")) $("#waiting").textContent = now.waiting || "";
    const place = location.href;
    if (now.stamp === stamp || !stamp || isBusy()) return;
    const { answer, page } = await load(place);
    if (place !== location.href || isBusy()) return; // one went on, or began to type, while it came
    if (answer.ok) show(page);
    else stamp = now.stamp;
  } catch {
    // the server ended; the page stays as it was
  } finally {
    following = false;
  }
}
setInterval(follow, FOLLOW_MS);
addEventListener("visibilitychange", follow);

// changes, shown in a dialog before they are made

let opener;

async function ask(address) {
  if (!dialog.open) opener = document.activeElement;
  const { page } = await load(address);
  fill(page);
}

function fill(page) {
  dialog.innerHTML = $("#main", page).innerHTML;
  for (const back of all("input[name=back]", dialog)) back.value = location.pathname + location.search;
  // the field that a key asked for; once it is filled in, what writes the change
  const wanted = dialog.open ? [".confirm button", "[autofocus]"] : ["[autofocus]", ".confirm button"];
  if (!dialog.open) dialog.showModal();
  const first = [...wanted, "button", "a"].map((what) => $(what, dialog)).find(Boolean);
  first?.focus();
}

function close() {
  dialog.close();
  dialog.innerHTML = "";
  const line = current();
  (line ? titleOf(line) : opener)?.focus?.();
}

async function send(form, button) {
  const data = new FormData(form, button);
  if (form.method === "post") {
    const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
    const { answer, page } = await load(form.getAttribute("action"), { method: "POST", body });
    if (!answer.ok || new URL(answer.url).pathname.startsWith("/change/")) return fill(page);
    if (dialog.open) dialog.close();
    show(page, answer.url);
    const line = current();
    if (line) titleOf(line)?.focus({ preventScroll: true });
    say($(".done", page)?.firstChild?.textContent || "Taken back.");
  } else {
    await ask((button?.getAttribute("formaction") || form.getAttribute("action")) + "?" + new URLSearchParams(data));
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const inPlace = dialog.contains(form) || form.matches(".confirm, .bulk, [data-dialog]");
  if (!inPlace || form.matches("[data-plain]")) return;
  event.preventDefault();
  send(form, event.submitter);
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target.closest?.("a");
  if (!link) {
    if (event.target === dialog) close();
    return;
  }
  if (link.matches(".cancel") && dialog.contains(link)) {
    event.preventDefault();
    close();
  } else if (link.matches(".toggle, [data-change], a[href^='/change/']")) {
    event.preventDefault();
    ask(link.href);
  }
});
dialog.addEventListener("cancel", () => setTimeout(close));

// lines and keys

const LINES = ".line, .place, .thing, .hit";
const lines = () => all(LINES, main()).filter((one) => one.offsetParent !== null);
const current = () => $(".at:is(" + LINES + ")");

const titleOf = (line) => line.querySelector(".entry a") || line.querySelector("a");

// Where one is, by what is there and by its place: a file that is being written may show nothing for a moment.
let chosen = {};

function choose(line, focus = true) {
  current()?.classList.remove("at");
  if (!line) return;
  line.classList.add("at");
  chosen = { at: line.dataset.e?.split(":").slice(-1)[0], number: lines().indexOf(line) };
  line.scrollIntoView({ block: "nearest" });
  if (focus) titleOf(line)?.focus({ preventScroll: true });
}

function step(by) {
  const every = lines();
  if (!every.length) return;
  const at = every.indexOf(current());
  if (at < 0) {
    // the first that is in view
    return choose(every.find((one) => one.getBoundingClientRect().bottom > 0) || every[0]);
  }
  const next = every[at + by];
  if (next) choose(next);
  else if (by > 0) $("a[rel=next]")?.click();
  else $("a[rel=prev]")?.click();
}

const HELP = [
  ["j k", "next and previous"],
  ["o", "open the paper itself"],
  ["Enter", "its page here"],
  ["r", "read, or unread"],
  ["n", "write a note"],
  ["t", "tags"],
  ["m", "move to another section"],
  ["a", "put it on the list (inbox, suggestions)"],
  ["x", "take it off the list; pass it over (inbox); not for me (suggestions)"],
  ["s", "select it (inbox)"],
  ["u", "undo the last change"],
  ["/", "search"],
  ["?", "this help"],
];

function help() {
  const rows = HELP.map(([key, what]) => `<dt><kbd>${key.split(" ").join("</kbd> <kbd>")}</kbd></dt><dd>${what}</dd>`).join("");
  dialog.innerHTML = `<h1 id="dialog-title" class="small">Keys</h1><dl class="keys">${rows}</dl><p><a class="cancel" href="#main">Close</a></p>`;
  opener = document.activeElement;
  dialog.showModal();
  $("a", dialog).focus();
}

function change(verb, more = {}) {
  const line = current() || (lines().length === 1 ? lines()[0] : null);
  const ready = line?.dataset[verb];
  if (ready?.startsWith("/")) return ask(ready); // data-state is a word
  if (line?.dataset.e) ask(`/change/${verb}?` + new URLSearchParams({ e: line.dataset.e, ...more }));
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  o: () => {
    const link = current()?.querySelector("a[rel=noreferrer]") || $("main .chip.paper");
    if (link) open(link.href, "_blank", "noopener,noreferrer");
  },
  r: () => {
    const line = current() || $(".place");
    change("state", { to: line?.dataset.state === "read" ? "to read" : "read" });
  },
  n: () => change("note"),
  t: () => change("tag"),
  m: () => change("move"),
  a: () => change("add"),
  x: () => change("remove"),
  s: () => current()?.querySelector("input[type=checkbox]")?.click(),
  u: () => ask("/change/undo"),
  "/": () => $(".search input").focus(),
  "?": help,
};

addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || dialog.open) return;
  const box = event.target;
  if (box.matches("input:not([type=checkbox]), textarea, select")) {
    if (event.key === "Escape") {
      box.blur();
    }
    return;
  }
  const act = KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// search as one types

let asked = 0;
let typing;
document.addEventListener("input", (event) => {
  if (!event.target.matches(".search input")) return;
  clearTimeout(typing);
  typing = setTimeout(() => search(event.target.value), 60);
});

// Words of one or two letters at the end are words begun: half of everything begins so. Enter asks for them as they are.
const BEGUN = /(?:[^\p{L}\p{N}:]+[\p{L}\p{N}]{1,2})+$/u;

async function search(typed) {
  const mine = ++asked;
  const words = typed.replace(BEGUN, "");
  if (words.replace(/[^\p{L}\p{N}]/gu, "").length < 3) return;
  const address = "/find?" + new URLSearchParams({ q: words });
  const { page } = await load(address);
  if (mine !== asked) return; // a later word was faster
  chosen = {};
  main().innerHTML = $("#main", page).innerHTML;
  document.title = page.title;
  if (location.pathname === "/find") history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}
addEventListener("popstate", () => location.reload());

// files that are dropped anywhere, and what is pasted where nobody types

addEventListener("dragover", (event) => {
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
});
addEventListener("drop", async (event) => {
  const files = [...(event.dataTransfer?.files || [])];
  if (!files.length) return;
  event.preventDefault();
  await collect((data) => files.forEach((file) => data.append("files", file)), files.map((one) => one.name).join(", "));
});
addEventListener("paste", async (event) => {
  if (event.target.matches?.("input, textarea") || dialog.open) return;
  const text = event.clipboardData?.getData("text/plain");
  if (text?.trim()) {
    event.preventDefault();
    const { page } = await load("/collect");
    show(page, location.origin + "/collect");
    const box = $("textarea[name=text]");
    if (box) {
      box.value = text;
      box.focus();
    }
  }
});

async function collect(put, name) {
  say(`Collecting ${name} …`);
  const { page } = await load("/collect");
  const data = new FormData($("form[action='/collect']", page));
  data.delete("files");
  put(data);
  const { answer, page: done } = await load("/collect", { method: "POST", body: data });
  show(done, answer.url);
}

// what is being measured

let source;
function measure() {
  const place = $("[data-events]");
  source?.close();
  source = undefined;
  if (!place) return;
  source = new EventSource(place.dataset.events);
  const bar = $("progress", place);
  const words = $(".now", place);
  source.addEventListener("progress", (event) => {
    const now = JSON.parse(event.data);
    if (bar && now.total) {
      bar.max = now.total;
      bar.value = now.done;
    }
    if (words) words.textContent = now.says;
  });
  source.addEventListener("end", async () => {
    source.close();
    const { answer, page } = await load(location.href);
    if (answer.ok) show(page);
  });
}
measure();

// live figures: their script is large, and comes only where there are some

function enliven() {
  const from = $("#specs")?.dataset.script;
  if (!from) return;
  if ($("script[data-figures]")) return document.dispatchEvent(new Event("shown"));
  const script = document.createElement("script");
  script.type = "module";
  script.src = from;
  script.dataset.figures = "";
  document.head.append(script);
}
enliven();

// the outline shows where one is

const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      all(".outline a.here").forEach((one) => one.classList.remove("here"));
      all(".outline a").find((one) => one.hash === "#" + entry.target.id)?.classList.add("here");
    }
  },
  { rootMargin: "0px 0px -75% 0px" },
);
all("main .section, main section[id]").forEach((one) => seen.observe(one));
