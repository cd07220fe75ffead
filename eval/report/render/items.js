"use strict";
// The item browser: filters, counts, order and the list of one evaluation's items. What an opened item shows is in
// item_detail.js. The index of columns is unpacked once; of the rows only those in sight are drawn.

const words = JSON.parse(document.getElementById("words").textContent);
const FAILED = -2, NO_RECORD = -3;  // in place of a choice; -1 is a reply without an answer
const SPARE_ROWS = 6;  // drawn above and below what is in sight

/** Say a sentence of the page's language, with the values in its placeholders. */
function said(name, values = {}) {
  return words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Drop what would reverse the reading direction or is not drawn: these texts are others'. */
function plain(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "");
}

/** Make an element; strings among the children become text, never markup. */
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.map((child) => (typeof child === "string" ? plain(child) : child)));
  return made;
}

/** Unpack a block of the page: gzip in base64, JSON inside. */
async function unpacked(id) {
  const block = document.getElementById(id);
  if (!block) return null;  // the page was full
  const letters = atob(block.textContent);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/** Say whether a system's answer to an item is in a state that a filter names; see eval/report/links.py. */
function isIn(state, choice, target) {
  if (state === "right") return choice === target;
  if (state === "wrong") return choice > FAILED && choice !== target;
  if (state === "given") return choice > FAILED;
  if (state === "answered") return choice >= 0;
  if (state === "unparsed") return choice === -1;
  if (state === "error") return choice === FAILED;
  return state === `chose-${choice}`;
}

class ItemBrowser {
  constructor(section) {
    this.section = section;
    this.number = section.dataset.number;
    this.form = section.querySelector("form");
    this.list = section.querySelector(".list");
    this.article = section.querySelector(".opened");
    this.rows = element("div", "rows");
    this.rows.setAttribute("role", "presentation");
    this.list.append(this.rows);
    this.chunks = new Map();
    this.shown = [];  // places of the items that meet the filter, in their order
    this.at = -1;  // which of them is chosen
    this.asked = 0;  // how often the filter was set: a later one overtakes an earlier
  }

  async start() {
    this.index = await unpacked(`index-${this.number}`);
    this.doubtful = new Set(this.index.doubtful);
    for (const system of this.index.systems) {
      system.cause = new Map();
      for (const [cause, places] of Object.entries(system.causes)) places.forEach((place) => system.cause.set(place, cause));
    }
    this.section.style.setProperty("--systems", this.index.systems.length);
    this.form.hidden = this.section.querySelector(".listed").hidden = false;
    let typed = 0;
    this.form.addEventListener("input", () => {
      clearTimeout(typed);
      typed = setTimeout(() => this.filter(), 120);
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.querySelector("button").addEventListener("click", () => {
      this.form.reset();
      this.filter();
    });
    this.list.addEventListener("scroll", () => this.draw());
    this.list.addEventListener("keydown", (event) => this.pressed(event));
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.choose(Number(row.dataset.at));
    });
    addEventListener("resize", () => this.draw());
    if (!this.follow()) await this.filter({ quiet: true });
  }

  nameOf(choice) {
    return this.index.names ? this.index.names[choice] : String(choice + 1);
  }

  chunkOf(place) {
    const number = Math.floor(place / this.index.chunk);
    if (!this.chunks.has(number)) this.chunks.set(number, unpacked(`chunk-${this.number}-${number}`));
    return this.chunks.get(number);
  }

  /** Take the filter from the page's address where it is about this list; say whether it is. */
  follow() {
    const [name, query] = location.hash.slice(1).split("?");
    if (name !== `items-${this.number}` || query === undefined) return false;
    const asked = new URLSearchParams(query);
    this.form.reset();
    for (const field of this.form.elements) {
      if (!field.name || !asked.has(field.name)) continue;
      if (field.type === "checkbox") field.checked = true;
      else field.value = asked.get(field.name);
    }
    for (let fold = this.section; fold; fold = fold.parentElement) if (fold.tagName === "DETAILS") fold.open = true;
    this.section.scrollIntoView();
    this.list.focus({ preventScroll: true });
    this.filter({ quiet: true, item: asked.get("item") });
    return true;
  }

  query() {
    return new URLSearchParams([...new FormData(this.form)].filter(([, value]) => value !== ""));
  }

  address(place = null) {
    const query = place === null ? this.query() : new URLSearchParams({ item: this.index.ids[place] });
    return `#items-${this.number}?${query}`.replaceAll("+", "%20");
  }

  /** Return the conditions of a filter, each a function of an item's place. */
  conditions(query) {
    const { targets, tags, tagLists, systems } = this.index, found = [];
    for (const [name, value] of query) {
      const system = systems.find((one) => name === `is.${one.name}` || name === `why.${one.name}`);
      if (system && name.startsWith("is.")) found.push((place) => isIn(value, system.choices[place], targets[place]));
      else if (system) found.push((place) => system.cause.get(place) === value);
      else if (name === "key") found.push((place) => targets[place] === Number(value));
      else if (name === "tag") found.push((place) => tagLists[tags[place]].includes(value));
      else if (name === "doubtful") found.push((place) => this.doubtful.has(place));
      else if (name === "disagree") found.push((place) => this.disagree(place));
    }
    return found;
  }

  disagree(place) {
    return new Set(this.index.systems.map((one) => one.choices[place]).filter((choice) => choice > FAILED)).size > 1;
  }

  async filter({ quiet = false, item = null } = {}) {
    const asked = ++this.asked, query = this.query(), conditions = this.conditions(query);
    if (query.has("q")) {
      const texts = await this.texts(), wanted = query.get("q").toLowerCase();
      if (asked !== this.asked) return;
      conditions.push((place) => (texts[place] ?? this.index.ids[place].toLowerCase()).includes(wanted));
    }
    this.shown = this.index.ids.map((_, place) => place).filter((place) => conditions.every((holds) => holds(place)));
    this.order(query.get("sort"));
    if (!quiet) this.remember(this.address());
    this.at = -1;
    this.article.hidden = true;
    this.list.scrollTop = 0;
    this.count();
    const place = item === null ? -1 : this.index.ids.indexOf(item);
    if (place >= 0) this.choose(this.shown.indexOf(place), { quiet: true });
    else this.draw();
  }

  remember(address) {
    try {
      history.replaceState(null, "", address);
    } catch {
      // a page without an address of its own, as in a mail program, keeps none
    }
  }

  order(by) {
    const { systems, targets } = this.index;
    const sum = (of) => (place) => systems.reduce((total, system) => total + of(system, place), 0);
    const ranks = {
      hard: sum((system, place) => (system.choices[place] === targets[place] ? 1 : 0)),
      unsure: sum((system, place) => system.sure[place] ?? 1000),
      slow: sum((system, place) => -(system.ms[place] ?? 0)),
    };
    const rank = ranks[by];
    if (rank) this.shown.sort((one, other) => rank(one) - rank(other) || one - other);
  }

  /** Return every item's texts in small letters, read once when they are first searched. */
  texts() {
    this.searchable ??= (async () => {
      this.section.querySelector("output").textContent = said("searching");
      const found = [];
      for (let place = 0; place < this.index.ids.length; place += this.index.chunk) {
        for (const item of (await this.chunkOf(place)) ?? []) {
          const own = [this.index.ids[found.length], ...Object.values(item.inputs ?? {}), ...(item.choices ?? [])];
          found.push(own.join("\n").toLowerCase());
        }
        this.chunks.clear();  // an unpacked chunk is many times its size
      }
      return found;
    })();
    return this.searchable;
  }

  /** Say how many items meet the filter, and above each column how many of them that system has right. */
  count() {
    const { ids, systems, targets } = this.index, shown = this.shown;
    const figures = { n: shown.length.toLocaleString("en"), all: ids.length.toLocaleString("en") };
    this.section.querySelector("output").textContent = said("shown", figures);
    const columns = systems.map((system) => {
      const given = shown.filter((place) => system.choices[place] > FAILED);
      const right = given.filter((place) => system.choices[place] === targets[place]).length;
      const counted = said("ofShown", { right: right.toLocaleString("en"), n: given.length.toLocaleString("en") });
      return element("span", "column", element("b", "", system.name), element("small", "", counted));
    });
    const head = [element("span", "head", said("text")), element("span", "column", said("key"))];
    this.section.querySelector(".columns").replaceChildren(...head, ...columns);
  }

  draw() {
    const height = parseFloat(getComputedStyle(this.list).getPropertyValue("--row"));
    const first = Math.max(0, Math.floor(this.list.scrollTop / height) - SPARE_ROWS);
    const last = Math.ceil((this.list.scrollTop + this.list.clientHeight) / height) + SPARE_ROWS;
    this.rows.style.height = `${this.shown.length * height}px`;
    const rows = this.shown.slice(first, last).map((place, step) => this.row(place, first + step, height));
    this.rows.replaceChildren(...rows);
    if (this.at >= first && this.at < last) this.list.setAttribute("aria-activedescendant", this.rowId(this.at));
    else this.list.removeAttribute("aria-activedescendant");
  }

  rowId(at) {
    return `row-${this.number}-${this.shown[at]}`;
  }

  row(place, at, height) {
    const { heads, ids, targets, systems } = this.index;
    const key = element("span", "cell key", this.nameOf(targets[place]));
    const cells = systems.map((system) => this.answerCell(system, place));
    const row = element("div", "row", element("span", "head", heads[place] || ids[place]), key, ...cells);
    row.style.top = `${at * height}px`;
    const about = { role: "option", id: this.rowId(at), "aria-posinset": at + 1, "aria-setsize": this.shown.length };
    for (const [name, value] of Object.entries(about)) row.setAttribute(name, value);
    row.setAttribute("aria-selected", at === this.at);
    row.title = ids[place];
    row.dataset.at = at;
    return row;
  }

  answerCell(system, place) {
    const choice = system.choices[place];
    if (choice === NO_RECORD) return element("span", "cell soft", "–");
    if (choice === FAILED) return element("span", "cell failed", `! ${said("failed")}`);
    if (choice < 0) return element("span", "cell bad", `✗ ${said("noAnswer")}`);
    const right = choice === this.index.targets[place];
    return element("span", `cell ${right ? "good" : "bad"}`, `${right ? "✓" : "✗"} ${this.nameOf(choice)}`);
  }

  pressed(event) {
    const height = parseFloat(getComputedStyle(this.list).getPropertyValue("--row"));
    const page = Math.max(1, Math.floor(this.list.clientHeight / height) - 1), last = this.shown.length - 1;
    const moves = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + page, PageUp: this.at - page, Home: 0, End: last };
    if (event.key === "Escape") this.close();
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.choose(Math.min(last, Math.max(0, moves[event.key])));
  }

  close() {
    this.at = -1;
    this.article.hidden = true;
    this.remember(this.address());
    this.draw();
  }

  async choose(at, { quiet = false } = {}) {
    if (at < 0 || at >= this.shown.length) return;
    this.at = at;
    const height = parseFloat(getComputedStyle(this.list).getPropertyValue("--row")), place = this.shown[at];
    if (at * height < this.list.scrollTop) this.list.scrollTop = at * height;
    const below = (at + 1) * height - this.list.clientHeight;
    if (below > this.list.scrollTop) this.list.scrollTop = below;
    this.draw();
    const items = await this.chunkOf(place);
    if (this.shown[this.at] !== place) return;  // another was chosen meanwhile
    drawItem(this, place, items?.[place % this.index.chunk]);
    if (!quiet) this.remember(this.address(place));
  }
}
