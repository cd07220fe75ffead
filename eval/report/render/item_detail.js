// One opened item: what was asked, with what was found marked in it, and side by side what each system was sent and said.

const LEAST_MARKED = 10;  // letters: a shorter passage would be found anywhere

/** Draw an item into the list's article. */
function drawItem(list, place, item) {
  const { index } = list, records = item?.records ?? {};
  const link = element("a", "", said("link")), close = element("button", "", said("close"));
  link.href = list.address(place);
  close.type = "button";
  close.addEventListener("click", () => {
    list.close();
    list.list.focus();
  });
  const about = [...(item ? [item.group, said("points", { points: item.weight })] : []), ...index.tagLists[index.tags[place]]];
  if (list.doubtful.has(place)) about.push(said("doubtful"));
  const parts = [
    element("header", "", element("h4", "", index.ids[place]), link, close),
    element("p", "soft", about.join(" · ")),
  ];
  const found = Object.values(records).flatMap((record) => (record.passages ?? []).map((passage) => passage.text));
  for (const [name, text] of Object.entries(item?.inputs ?? {})) {
    if (text) parts.push(element("h5", "", name), element("p", "said", ...marked(plain(text), found)));
  }
  if (!item) parts.push(element("p", "note", said("listedAlone", { item: index.ids[place] })));
  if (item?.choices) parts.push(element("h5", "", said("choices")), choicesOf(item.choices, index.targets[place]));
  const systems = index.systems.filter((system) => system.name in records);
  parts.push(element("div", "answers", ...systems.map((system) => answerOf(list, system, place, records[system.name]))));
  list.article.replaceChildren(...parts);
  list.article.hidden = false;
}

/** Return a text in pieces, with those marked that were retrieved. */
function marked(text, passages) {
  const spans = [];
  for (const passage of new Set(passages.map(plain))) {
    const start = passage.length >= LEAST_MARKED ? text.indexOf(passage) : -1;
    if (start >= 0) spans.push([start, start + passage.length]);
  }
  spans.sort((one, other) => one[0] - other[0]);
  const pieces = [];
  let at = 0;
  for (const [start, end] of spans) {
    if (end <= at) continue;
    if (start > at) pieces.push(text.slice(at, start));
    pieces.push(element("mark", "", text.slice(Math.max(start, at), end)));
    at = end;
  }
  return [...pieces, text.slice(at)];
}

function choicesOf(choices, target) {
  const rows = choices.map((choice, at) => element("li", at === target ? "target" : "", at === target ? `${choice} ✓` : choice));
  return element("ol", "choices", ...rows);
}

/** Draw what one system made of the item. */
function answerOf(list, system, place, record) {
  const choice = system.choices[place], target = list.index.targets[place], prediction = record.prediction;
  const kind = choice === FAILED ? "failed" : choice === target ? "good" : "bad";
  const parts = [element("h5", "", system.name), element("p", kind, verdictOf(list, choice, target, record))];
  parts.push(element("p", "soft", figuresOf(list, system, place, record).join(" · ")));
  if (prediction?.probs) {
    const each = prediction.probs.map((prob, at) => [list.nameOf(at), prob]).sort((one, other) => other[1] - one[1]);
    const shown = each.slice(0, 8).map(([name, prob]) => `${name} ${prob.toFixed(3)}`);
    parts.push(element("p", "soft", `${said("probabilities")}: ${shown.join(", ")}${each.length > 8 ? " …" : ""}`));
  }
  if (prediction?.candidates) {
    parts.push(element("p", "soft", said("candidates", { choices: prediction.candidates.map((at) => list.nameOf(at)).join(", ") })));
  }
  if (prediction?.raw) parts.push(folded(said("wrote"), [element("pre", "said raw", prediction.raw)], true));
  for (const [number, trial] of (prediction?.asks ?? []).entries()) parts.push(trialOf(list, number + 1, trial));
  if (prediction?.reasoning) parts.push(folded(said("reasoned"), [element("pre", "said raw", prediction.reasoning)]));
  if (record.passages) parts.push(folded(`${said("retrieved")}: ${record.passages.length}`, record.passages.flatMap(passageOf)));
  if (record.messages) parts.push(folded(said("sent"), record.messages.flatMap(messageOf)));
  return element("section", `answer is-${kind}`, ...parts);
}

function verdictOf(list, choice, target, record) {
  if (choice === FAILED) return `! ${said("failed")}: ${record.error}`;
  if (choice < 0) return `✗ ${said("noAnswer")} (${said(`status-${record.prediction.status}`)})`;
  return choice === target ? `✓ ${list.nameOf(choice)}, ${said("right")}` : `✗ ${list.nameOf(choice)}, ${said("wrong")}`;
}

/** Return the rule that read the answer, its cause, time, price and tokens, as far as they are known. */
function figuresOf(list, system, place, record) {
  const usage = record.prediction?.usage, found = [], cause = system.cause.get(place);
  if (record.prediction?.rule) found.push(said("rule", { rule: record.prediction.rule }));
  if (cause) found.push(said("cause", { cause: words[`cause-${cause}`] }));
  if (record.latency_s !== undefined) found.push(said("seconds", { seconds: Number(record.latency_s.toPrecision(3)) }));
  if (record.usd !== undefined) found.push(`$${Number(record.usd.toPrecision(3))}`);
  if (usage) found.push(said("tokens", { read: usage.input_tokens ?? 0, written: usage.output_tokens ?? 0 }));
  if (record.attempts > 1) found.push(said("again", { n: record.attempts }));
  return found;
}

function folded(title, children, open = false) {
  const made = element("details", "", element("summary", "", title), ...children);
  made.open = open;
  return made;
}

function trialOf(list, number, trial) {
  const order = (trial.order ?? []).map((at) => list.nameOf(at)).join(", ");
  const chosen = trial.choice === null || trial.choice === undefined ? said("noAnswer") : list.nameOf(trial.choice);
  const wrote = trial.raw ? [element("pre", "said raw", trial.raw)] : [];
  return folded(`${said("trial", { n: number, order })}: ${chosen}`, wrote);
}

function passageOf(passage) {
  const score = passage.score === undefined || passage.score === null ? "" : ` · ${said("score", { score: Number(passage.score.toPrecision(4)) })}`;
  return [element("h6", "", `${passage.chunk_id ?? passage.id}${score}`), element("p", "said raw", passage.text)];
}

function messageOf(message) {
  const calls = (message.tool_calls ?? []).map((call) => `→ ${call.name} ${JSON.stringify(call.arguments)}`);
  return [element("h6", "", message.role), element("pre", "said raw", [message.content, ...calls].filter(Boolean).join("\n"))];
}

const browsers = [...document.querySelectorAll(".items")].map((section) => new ItemBrowser(section));
// A folded section would be missing on paper.
addEventListener("beforeprint", () => document.querySelectorAll("details.fold").forEach((fold) => (fold.open = true)));
addEventListener("hashchange", () => browsers.some((one) => one.index && one.follow()));
(async () => {
  for (const one of browsers) {
    try {
      await one.start();
    } catch (fault) {
      one.section.append(element("p", "warn", words.unreadable));
      throw fault;
    }
  }
  document.documentElement.dataset.ready = "items";  // what waits for the page can tell
})();
