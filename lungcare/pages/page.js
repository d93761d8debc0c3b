// The page: which screen is seen, and how films go in and readings come out. Gradio runs this once the page stands;
// `element` is the page. Films are held here and nowhere else, by this open page.
const root = element.querySelector(".lc");
const at = (selector, within = root) => within.querySelector(selector);
const all = (selector, within = root) => [...within.querySelectorAll(selector)];
const screens = Object.fromEntries(all("[data-screen]").map((screen) => [screen.dataset.screen, screen]));
const zoom = at(".lc-zoom");
const AT_ONCE = 2;

let turn = 0; // counts what was begun, so that an answer to something older is dropped
let shown = null; // the film whose reading is seen, and that reading: {film, reading}
let table = null; // several films: {films, rows, read, done, turn}; turn is that in which it was last gone on with

// ---- words: pieces of HTML that the server wrote, in every language

function say(name, values = {}) {
  const html = at(`#lc-say-${name}`).innerHTML;
  return html.replace(/\[(\w+)\]/g, (whole, key) => values[key] ?? whole);
}

function put(place, html) {
  place.innerHTML = html;
  window.lungcare.label(place);
}

function announce(html) {
  put(at("#lc-heard"), html);
}

// ---- screens

const place = () => location.hash.slice(1) || "home";

function show(name) {
  if (name === "result" && !shown) name = "examine";
  if (name === "several" && !table) name = "examine";
  if (!screens[name]) name = "home";
  for (const [other, screen] of Object.entries(screens)) screen.hidden = other !== name;
  for (const link of all("nav a")) {
    const here = link.dataset.place === (["result", "several"].includes(name) ? "examine" : name);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  title(name);
  return screens[name];
}

function title(name) {
  const source = name === "result" ? at("#lc-say-result-name").content : at("h1", screens[name]);
  const words = [...source.querySelectorAll(`[lang=${window.lungcare.language()}]`)].map((piece) => piece.textContent);
  document.title = [...words, "LungCare"].join(" · ");
}

function go(name) {
  if (place() === name) arrive();
  else location.hash = name;
}

function arrive() {
  if (place() === "lc-content") return;
  if (zoom.open) zoom.close();
  const screen = show(place());
  if (screen === screens.several && table.done < table.films.length && table.turn !== turn) goOn();
  window.scrollTo(0, 0);
  at("[tabindex='-1']", screen)?.focus({ preventScroll: true });
}

window.addEventListener("hashchange", arrive);
document.addEventListener("lungcare:language", () => {
  const name = Object.keys(screens).find((other) => !screens[other].hidden);
  if (name) title(name);
});

// ---- films in

function take(films) {
  if (!films.length) return;
  if (films.length === 1) readOne({ file: films[0] });
  else readSeveral(films);
}

// What a function of gradio_app.Page answers. Raises what fetch raises, or the problem document for an answer.
// The name of a file may be a patient's: it stays here.
async function call(name, film, values = {}) {
  const data = film.file ? { film: new File([film.file], "film"), ...values } : { example: film.example, ...values };
  const form = new FormData();
  for (const [field, value] of Object.entries({ fn_name: name, ...data })) form.append(field, value);
  const answer = await fetch("gradio_api/component_server/", { method: "POST", body: form });
  if (!answer.ok) throw await answer.json();
  return answer.json();
}

// Why a film need not be sent, as the code of a refusal; null where nothing speaks against it.
async function unfit(film) {
  if (!film.file) return null;
  if (film.file.size > Number(root.dataset.maxBytes)) return "file_too_large";
  try {
    await film.file.slice(0, 1).arrayBuffer(); // a folder, or a file that is gone by now, cannot be read
    return null;
  } catch {
    return "unreadable_file";
  }
}

function working(is) {
  at(".lc-working").hidden = !is;
  at(".lc-drop").classList.toggle("lc-busy", is);
}

async function readOne(film) {
  const mine = ++turn;
  show("examine");
  put(at(".lc-trouble", screens.examine), "");
  working(true);
  announce(say("reading"));
  let answer = null;
  let fault = null;
  try {
    const code = await unfit(film);
    answer = code ? { html: say(code), spoken: "" } : await call("read", film);
  } catch (error) {
    fault = error;
  }
  if (mine !== turn) return;
  working(false);
  if (fault) return trouble(screens.examine, fault, () => readOne(film));
  shown = { film, reading: answer.reading };
  const back = table ? say("back") : "";
  put(screens.result, `${answer.html}<div class="lc-after lc-no-print">${back}${say("after")}</div><div class="lc-trouble"></div>`);
  announce(answer.spoken);
  go("result");
}

// That there is no answer, and why: the service is too busy, say, or nobody is there.
function trouble(screen, fault, again) {
  const box = at(".lc-trouble", screen);
  put(box, say(`${at(`#lc-say-${fault.code}-again`) ? fault.code : "offline"}-again`));
  announce(at("h2", box).innerHTML);
  at("h2", box).focus();
  at("[data-do=retry]", box).addEventListener("click", () => {
    put(box, "");
    again();
  });
}

// ---- several films

function readSeveral(films) {
  turn += 1;
  table = { films, rows: Array(films.length).fill(null), read: 0, done: 0, turn: -1 };
  at("tbody", screens.several).replaceChildren(...films.map(line));
  at("[data-do=csv]", screens.several).disabled = true;
  put(at(".lc-trouble", screens.several), "");
  go("several"); // and there goOn is called, as it is when one comes back to a table that is not whole
}

function line(film, number) {
  const row = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const open = document.createElement("button");
  open.type = "button";
  open.className = "lc-quiet";
  open.textContent = film.name;
  open.addEventListener("click", () => readOne({ file: table.films[number] }));
  name.append(open);
  const rest = document.createElement("td");
  rest.colSpan = 5;
  row.append(name, rest);
  return row;
}

async function goOn() {
  const mine = ++turn;
  const { films, rows } = table;
  const taken = new Set(); // what an earlier turn took and did not enter is read again
  table.turn = mine;
  working(false);
  put(at(".lc-trouble", screens.several), "");
  count();
  let fault = null;
  const worker = async () => {
    while (mine === turn && !fault) {
      const number = rows.findIndex((row, place) => !row && !taken.has(place));
      if (number < 0) return;
      taken.add(number);
      const film = { file: films[number] };
      try {
        const code = await unfit(film);
        const rest = Array(root.dataset.columns.split(",").length - 4).fill("");
        const row = ["refused", code, ...rest, root.dataset.model];
        const answer = code ? { cells: say(`${code}-cells`), row } : await call("row", film);
        if (mine !== turn) return;
        enter(number, answer);
      } catch (error) {
        fault = error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (mine !== turn) return;
  if (fault) return trouble(screens.several, fault, goOn);
  const { read } = table;
  announce(say("done", { total: films.length, read, refused: films.length - read }));
  put(at("#lc-several-count"), say("done", { total: films.length, read, refused: films.length - read }));
  at("progress", screens.several).hidden = true;
  at("[data-do=csv]", screens.several).disabled = false;
}

function enter(number, answer) {
  table.rows[number] = answer.row;
  table.done += 1;
  table.read += answer.row[0] === "read" ? 1 : 0;
  const row = at("tbody", screens.several).rows[number];
  while (row.cells.length > 1) row.deleteCell(-1);
  row.insertAdjacentHTML("beforeend", answer.cells);
  window.lungcare.label(row);
  count();
}

function count() {
  const bar = at("progress", screens.several);
  bar.hidden = false;
  bar.max = table.films.length;
  bar.value = table.done;
  put(at("#lc-several-count"), say("progress", { done: table.done, total: table.films.length }));
}

// ---- what is saved

function save(blob, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `lungcare-${today()}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function today() {
  const now = new Date();
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

async function savePicture(button) {
  const box = at(".lc-trouble", screens.result);
  put(box, "");
  button.setAttribute("aria-busy", "true");
  try {
    const picture = await call("picture", shown.film, { language: window.lungcare.language(), date: today() });
    const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
    save(new Blob([bytes], { type: "image/png" }), "png");
  } catch {
    put(box, `<p class="lc-alert">${say("unsaved")}</p>`);
    announce(say("unsaved"));
  }
  button.removeAttribute("aria-busy");
}

function saveTable() {
  const cell = (value) => {
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value; // no formula for a spreadsheet
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = table.rows.map((row, number) => [table.films[number].name, ...row]);
  const lines = [root.dataset.columns.split(","), ...rows].map((row) => row.map(cell).join(","));
  save(new Blob(["\ufeff", lines.join("\n"), "\n"], { type: "text/csv" }), "csv");
}

const actions = {
  picture: savePicture,
  json: () => save(new Blob([JSON.stringify(shown.reading, null, 2), "\n"], { type: "application/json" }), "json"),
  csv: saveTable,
  zoom: openZoom,
};

// ---- where the network looked, laid over the film

root.addEventListener("input", (event) => {
  const control = event.target.dataset.map;
  if (!control) return;
  const map = at(".lc-map", screens.result);
  if (control === "show") at(".lc-map-more", screens.result).hidden = map.hidden = !event.target.checked;
  map.style.opacity = at("[data-map=strength]", screens.result).value / 100;
});

// ---- the film, enlarged

let scale = 1;
const stage = at(".lc-zoom-film");

function openZoom() {
  const seen = all(".lc-film img", screens.result); // the film and, where there is one, its map
  all("img", zoom).forEach((picture, number) => {
    picture.hidden = !seen[number] || seen[number].hidden;
    if (picture.hidden) return;
    picture.src = seen[number].src;
    picture.style.opacity = seen[number].style.opacity;
  });
  resize(1);
  zoom.showModal();
}

// x, y: the point of the stage, in pixels from its corner, under which the film stays where it is.
function resize(to, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  scale = Math.min(6, Math.max(1, to));
  const place = [stage.scrollLeft + x, stage.scrollTop + y];
  const before = at("img", stage).clientWidth || 1;
  stage.style.setProperty("--scale", scale);
  const ratio = (at("img", stage).clientWidth || 1) / before;
  stage.scrollTo(place[0] * ratio - x, place[1] * ratio - y);
}

zoom.addEventListener("click", (event) => {
  const action = event.target.closest("[data-zoom]")?.dataset.zoom;
  if (action === "closer") resize(scale * 1.5);
  if (action === "farther") resize(scale / 1.5);
  if (action === "close") zoom.close();
});
zoom.addEventListener("keydown", (event) => {
  if (event.key === "+" || event.key === "=") resize(scale * 1.5);
  if (event.key === "-") resize(scale / 1.5);
});
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const corner = stage.getBoundingClientRect();
  resize(scale * Math.exp(-event.deltaY / 500), event.clientX - corner.left, event.clientY - corner.top);
}, { passive: false });
stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "mouse") stage.setPointerCapture(event.pointerId); // a finger moves the film by itself
});
stage.addEventListener("pointermove", (event) => {
  if (stage.hasPointerCapture(event.pointerId)) stage.scrollBy(-event.movementX, -event.movementY);
});
zoom.addEventListener("close", () => at("[data-do=zoom]", screens.result)?.focus());

// ---- ways in

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.example) readOne({ example: button.dataset.example });
  else if (button && actions[button.dataset.do]) actions[button.dataset.do](button);
  const open = event.target.closest(".lc-film img");
  if (open) openZoom();
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash.slice(1) === place()) arrive();
});
at(".lc-skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("#lc-content").focus();
});
at("#lc-file").addEventListener("change", (event) => {
  const films = [...event.target.files];
  event.target.value = "";
  take(films);
});
const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  if (place() !== "examine") go("examine");
  root.classList.add("lc-dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) root.classList.remove("lc-dragging");
});
document.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  root.classList.remove("lc-dragging");
  take([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const films = [...(event.clipboardData?.files ?? [])];
  if (films.length) event.preventDefault();
  take(films);
});

window.lungcare.label(document);
show(place());
root.dataset.ready = "";
