"use strict";

const element = (id) => document.getElementById(id);
// Answers of a subscription that are shown, the newest first.
const SHOWN = 200;
let asking = null;
let following = null;

async function ask(query, variables, operationName, signal) {
  const headers = { "Content-Type": "application/json" };
  const token = element("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = JSON.stringify({ query, variables, operationName: operationName || null });
  return fetch("/graphql", { method: "POST", headers, body, signal, credentials: "omit" });
}

function say(text, failed) {
  element("status").textContent = text;
  element("status").className = failed ? "failed" : "quiet";
}

function isSubscription(query, operation) {
  const text = query.replace(/#.*$/gm, "");
  const name = operation.replace(/\W/g, "");
  return (name ? new RegExp(`(^|})\\s*subscription\\s+${name}\\b`) : /(^|})\s*subscription\b/).test(text);
}

function follow(query, variables, operationName) {
  const scheme = location.protocol.endsWith("s:") ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/graphql`, "graphql-transport-ws");
  const send = (message) => socket.send(JSON.stringify(message));
  const answers = [];
  let count = 0;
  let failure = "";
  following = socket;
  element("run").textContent = "Stop";
  element("answer").textContent = "";
  say("Opening …", false);
  socket.addEventListener("open", () => {
    const token = element("token").value.trim();
    send({ type: "connection_init", payload: token ? { Authorization: `Bearer ${token}` } : {} });
  });
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "connection_ack") {
      send({ type: "subscribe", id: "1", payload: { query, variables, operationName: operationName || null } });
      say("Following; nothing has happened yet.", false);
    } else if (message.type === "ping") {
      send({ type: "pong" });
    } else if (message.type === "next") {
      count += 1;
      answers.unshift(JSON.stringify(message.payload, null, 2));
      answers.length = Math.min(answers.length, SHOWN);
      element("answer").textContent = answers.join("\n");
      say(`Following: ${count} so far, the newest first.`, false);
    } else if (message.type === "error") {
      failure = "With errors.";
      element("answer").textContent = JSON.stringify({ errors: message.payload }, null, 2);
      socket.close(1000);
    } else if (message.type === "complete") {
      socket.close(1000);
    }
  });
  socket.addEventListener("close", (event) => {
    following = null;
    element("run").textContent = "Run";
    const orderly = event.code === 1000 || event.code === 1005;
    say(failure || (orderly ? `Stopped after ${count}.` : `The connection ended (${event.code} ${event.reason}).`), Boolean(failure) || !orderly);
  });
}

async function run() {
  if (following) {
    following.close(1000);
    return;
  }
  let variables = {};
  const text = element("variables").value.trim();
  try {
    if (text) variables = JSON.parse(text);
  } catch (error) {
    say(`The variables are not JSON: ${error.message}`, true);
    element("variables").focus();
    return;
  }
  if (asking) asking.abort();
  const operation = element("operation").value.trim();
  if (isSubscription(element("query").value, operation)) {
    follow(element("query").value, variables, operation);
    return;
  }
  const controller = new AbortController();
  asking = controller;
  element("run").disabled = true;
  say("Asking …", false);
  const started = performance.now();
  try {
    const response = await ask(element("query").value, variables, operation, controller.signal);
    const answer = await response.text();
    const took = Math.round(performance.now() - started);
    let failed = !response.ok;
    try {
      const value = JSON.parse(answer);
      failed = failed || Boolean(value.errors);
      element("answer").textContent = JSON.stringify(value, null, 2);
    } catch {
      element("answer").textContent = answer;
    }
    const position = response.headers.get("Headwater-Position");
    say(`${failed ? "With errors" : "Answered"}: status ${response.status}, ${took} ms${position ? `, at position ${position}` : ""}.`, failed);
  } catch (error) {
    if (error.name !== "AbortError") say(`The server cannot be reached: ${error.message}`, true);
  } finally {
    if (asking === controller) {
      asking = null;
      element("run").disabled = false;
    }
  }
}

function show(example) {
  element("query").value = example.query;
  element("variables").value = Object.keys(example.variables).length ? JSON.stringify(example.variables, null, 2) : "";
}

async function readExamples() {
  try {
    const response = await fetch("/graphql/examples.json", { credentials: "omit" });
    const examples = await response.json();
    for (const example of examples) element("example").append(new Option(example.title, example.title));
    element("example").addEventListener("change", () => show(examples[element("example").selectedIndex]));
    // What somebody has begun to write stays.
    if (!element("query").value) show(examples[0]);
  } catch {
    say("The examples cannot be read just now.", true);
  }
}

function typeText(type) {
  if (type.kind === "NON_NULL") return `${typeText(type.ofType)}!`;
  if (type.kind === "LIST") return `[${typeText(type.ofType)}]`;
  return type.name;
}

function described(list, term, description) {
  const title = document.createElement("dt");
  title.textContent = term;
  const text = document.createElement("dd");
  text.textContent = description || "";
  list.append(title, text);
}

function showType(type) {
  const list = document.createElement("dl");
  for (const field of type.fields || type.inputFields || []) {
    const given = (field.args || []).map((argument) => `${argument.name}: ${typeText(argument.type)}`).join(", ");
    described(list, `${field.name}${given ? `(${given})` : ""}: ${typeText(field.type)}`, field.description);
  }
  for (const value of type.enumValues || []) described(list, value.name, value.description);
  const about = document.createElement("p");
  about.textContent = type.description || "";
  element("fields").replaceChildren(about, list);
}

async function readSchema() {
  const reference = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
  const value = `name description type { ${reference} }`;
  const query = `{ __schema { types { kind name description fields { ${value} args { ${value} } } inputFields { ${value} } enumValues { name description } } } }`;
  try {
    const response = await ask(query, {}, null);
    const answer = await response.json();
    const types = answer.data.__schema.types.filter((type) => !type.name.startsWith("__"));
    const first = { Query: 0, Mutation: 1, Subscription: 2 };
    const rank = (type) => first[type.name] ?? 3;
    types.sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
    for (const type of types) element("type").append(new Option(type.name, type.name));
    element("type").addEventListener("change", () => showType(types[element("type").selectedIndex]));
    showType(types[0]);
  } catch {
    element("fields").textContent = "The schema cannot be read just now.";
  }
}

element("question").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
readExamples();
readSchema();
