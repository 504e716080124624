// Drives the page in Chromium. Reads {part, address, pictures, more} from standard input; prints what it did, and
// `wrong: …` for what should not be.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const modules = path.join(__dirname, "../../.tools/node/node_modules");
const { chromium } = require(`${modules}/playwright-core`);
const axe = fs.readFileSync(`${modules}/axe-core/axe.min.js`, "utf8");

const say = (line) => console.log(line);
const wrong = (what) => say(`wrong: ${what.replaceAll("\n", " ")}`);
const expect = (holds, what) => { if (!holds) wrong(what); };

// How to start a Chromium: Debian's, or the one that `make tools` unpacked with its libraries and fonts.
function program() {
  const unpacked = path.join(__dirname, "../../.tools/chromium");
  const known = [process.env.RIGHTSIZER_CHROMIUM, "/usr/bin/chromium", `${unpacked}/chromium`];
  const executablePath = known.find((file) => file && fs.existsSync(file));
  if (!executablePath) throw new Error("no Chromium: `make tools` installs one");
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
  const folder = path.dirname(executablePath);
  if (!fs.existsSync(`${folder}/lib/libnss3.so`)) return { executablePath, args };
  return { executablePath, args, env: { ...process.env, LD_LIBRARY_PATH: `${folder}/lib`, FONTCONFIG_PATH: folder } };
}

// A window that reports what should not happen in it.
async function open(browser, origin, options = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("console", (message) => { if (message.type() === "error") wrong(`console: ${message.text()} at ${page.url()}`); });
  page.on("pageerror", (error) => wrong(`error: ${error.message} at ${page.url()}`));
  page.on("dialog", (dialog) => { wrong(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== origin) wrong(`request to ${request.url()}`);
  });
  return { context, page };
}

async function signIn(page, address, token) {
  await page.goto(address);
  await page.getByLabel("Your name").fill("Ada");
  await page.getByLabel("Review token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Fleet" }).waitFor();
}

async function judge(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wide <= 0, `${name} is ${wide} px wider than the window`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const one of found.violations) wrong(`axe on ${name}: ${one.id}: ${one.help}: ${one.nodes[0].html.slice(0, 200)} ${one.nodes[0].failureSummary}`);
}

// Everything that can be pressed or filled in is reached by Tab, and is seen when it is.
async function keyboard(page, name) {
  const wanted = await page.evaluate(() => {
    const all = document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']");
    const seen = [...all].filter((one) => one.tabIndex >= 0 && one.checkVisibility());
    seen.forEach((one, n) => { one.dataset.stop = n; });
    return seen.length;
  });
  const reached = new Set();
  for (let n = 0; n < wanted + 5; n += 1) {
    await page.keyboard.press("Tab");
    const [stop, outline, html] = await page.evaluate(() => {
      const one = document.activeElement;
      return [one.dataset.stop, getComputedStyle(one).outlineStyle, one.outerHTML.slice(0, 120)];
    });
    if (stop === undefined) continue;
    reached.add(stop);
    expect(outline !== "none", `${name}: the focus is not seen on ${html}`);
  }
  expect(wanted > 5 && reached.size === wanted, `${name}: Tab reaches ${reached.size} of ${wanted}`);
  say(`keyboard: ${name}, ${wanted} stops`);
}

const PAGES = [["fleet", "/"], ["function", null], ["review", "/ui/review"], ["health", "/ui/health"], ["guide", "/ui/guide/ALGORITHM"]];
const WIDTHS = [320, 1280, 2560];

async function looks(browser, { address, pictures, more }) {
  fs.mkdirSync(pictures, { recursive: true });
  const bare = await open(browser, address, { bypassCSP: true });
  for (const colorScheme of ["light", "dark"]) {
    const { context, page } = await open(browser, address, { colorScheme, bypassCSP: true });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width < 500 ? 640 : 1000 });
      await page.goto(address);
      await page.getByLabel("Review token").waitFor();
      await shot(page, `sign-in-${colorScheme}-${width}`);
    }
    await signIn(page, address, more.token);
    for (const [name, at] of PAGES) {
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: width < 500 ? 640 : 1000 });
        if (at) await page.goto(address + at);
        else {
          await page.goto(`${address}/?q=media-resize`);
          await page.getByRole("link", { name: "media-resize", exact: true }).first().click();
          await page.getByRole("heading", { level: 1, name: /media-resize/ }).waitFor();
        }
        await shot(page, `${name}-${colorScheme}-${width}`);
        if (colorScheme === "light" && width === 1280) await keyboard(page, name);
      }
    }
    expect((await page.title()).includes("run") === false, "a name was run as a script");
    await context.close();
  }
  await bare.context.close();
  await text(browser, address, more);

  async function shot(page, name) {
    await judge(page, name);
    await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: name.includes("1280") || name.includes("320") });
    say(`looked: ${name}`);
  }
}

// Without a script every page can be read, and the policy of the page itself holds.
async function text(browser, address, { token, hostile }) {
  const { context, page } = await open(browser, address, { javaScriptEnabled: false });
  await signIn(page, address, token);
  await page.goto(`${address}/?q=script`);
  expect(await page.getByRole("link", { name: hostile, exact: true }).first().isVisible(), "a hostile name is not shown as text");
  await page.getByRole("link", { name: hostile, exact: true }).first().click();
  expect((await page.textContent("h1")).includes(hostile), "a hostile name is not the heading");
  const answer = await page.goto(`${address}/`);
  expect(/^default-src 'none'/.test(answer.headers()["content-security-policy"]), "no policy");
  for (const file of await page.locator("link[rel=stylesheet], script[src]").evaluateAll((all) => all.map((one) => one.href || one.src))) {
    const asset = await context.request.get(file);
    expect(asset.ok() && /immutable/.test(asset.headers()["cache-control"]), `${file} is not kept by browsers`);
  }
  await context.close();
}

// An open page shows what arrives by the event of its commit alone: the timer of the script stands still, and nothing is
// loaded again. How long the server waits before an event is held by the tests of the stream.
async function live(browser, { address, more }) {
  const { page } = await open(browser, address);
  await page.addInitScript(() => { window.setInterval = () => 0; });
  await signIn(page, address, more.token);
  await listening(page, () => page.goto(`${address}/?q=arrives`));
  expect(await page.getByText("No function matches.").isVisible(), "it is there before it arrived");
  await page.evaluate(() => { window.loadedOnce = true; });
  const begun = Date.now();
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.PutRecords" },
    body: JSON.stringify({ StreamName: "reports", Records: [{ Data: more.data, PartitionKey: "k" }] }),
  });
  expect(answer.ok, `records are not taken: ${answer.status}`);
  await page.getByRole("link", { name: "arrives-live", exact: true }).waitFor();
  expect(await page.evaluate(() => window.loadedOnce), "the page was loaded again");
  say(`appeared after ${Date.now() - begun} ms`);
}

// Does something that opens a page, and waits until its event stream is open.
async function listening(page, doing) {
  const stream = page.waitForResponse(/\/ui\/events$/);
  await doing();
  await stream;
}

// How a reader decides: opens a function's page, and presses a button of the form there.
function reader(page, address) {
  const visit = (name) => page.goto(`${address}/ui/function?name=${encodeURIComponent(name)}`);
  const press = async (button, why) => {
    if (why) await page.getByLabel("Reason, recorded with the decision").first().fill(why);
    await page.getByRole("button", { name: button }).first().click();
    return page.locator(".notice").first().textContent();
  };
  return { visit, press };
}

async function actions(browser, { address, more }) {
  const { page } = await open(browser, address);
  await signIn(page, address, more.token);
  const [approve, reject, back, hold, one, two] = more.functions;
  const { visit, press } = reader(page, address);
  await visit(approve);
  expect(/^approved: /.test(await press(/^Approve/, "looks <b>right</b>")), "no word of the approval");
  expect(await page.getByText("approved by Ada: looks <b>right</b>").isVisible(), "the history does not name who approved");
  await visit(reject);
  expect(/^rejected: /.test(await press("Reject", "not now")), "no word of the rejection");
  await visit(back);
  await press(/^Approve/);
  expect(/^approval taken back: /.test(await press("Take the approval back")), "no word of the approval taken back");
  await visit(hold);
  expect(/^held: /.test(await press(/^Hold/, "busy week")), "no word of the hold");
  expect(await page.getByText("Decreases are held until").isVisible(), "the hold is not shown");
  await visit(back);
  await press(/^Hold/);
  expect(/^released: /.test(await press("End the hold")), "no word of the release");

  // By keyboard alone: mark two, give a reason, approve.
  await page.goto(`${address}/ui/review`);
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement.textContent) === "Skip to the content", "the first Tab does not offer to skip");
  const short = (arn) => arn.split(":").pop();
  for (const name of [one, two]) {
    await tabTo(page, (label) => document.activeElement.getAttribute("aria-label") === label, `Select ${short(name)}`);
    await page.keyboard.press("Space");
  }
  await tabTo(page, () => document.activeElement.name === "why");
  await page.keyboard.type("in bulk");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("2 decided.").waitFor();

  // A page that shows what was decided since is refused.
  await page.goto(`${address}/ui/review`);
  const other = await page.context().newPage();
  await other.goto(`${address}/ui/review`);
  expect(await other.getByLabel(`Select ${short(one)}`).count() === 0, "what was approved still waits");
  await other.close();

  expect(/^paused: /.test(await press("Pause everything", "incident")), "no word of the pause");
  await page.goto(address);
  expect(await page.getByText("Nothing is sent until you resume.").isVisible(), "the fleet does not show the pause");
  await page.goto(`${address}/ui/review`);
  expect(/^resumed/.test(await press("Resume sending")), "no word of the resumption");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Review token").waitFor();
  say("done");
}

// Each action up to what leaves for the functions. The page itself shows when something has left.
async function stream(browser, { address, more }) {
  const { page } = await open(browser, address);
  await signIn(page, address, more.token);
  const [direct, held, later, kept, refused] = more.functions;
  const { visit, press } = reader(page, address);
  const becomes = (words) => page.locator("h1 .label", { hasText: words }).waitFor();
  const stays = async (words) => {
    await page.waitForTimeout(1500);
    expect(await page.locator("h1 .label").textContent() === words, `it is not ${words} any more`);
  };
  await visit(held);
  await press(/^Hold/, "busy week");
  await press(/^Approve/);
  await visit(direct);
  expect(/^approved: /.test(await press(/^Approve/, "seen")), "no word of the approval");
  await becomes("in flight");
  expect(await page.locator(".notice").isVisible(), "the word of the approval has gone");
  await visit(held);
  await stays("approved");
  await press("End the hold");
  await becomes("in flight");
  await visit(refused);
  await press("Reject", "not now");

  await page.goto(`${address}/ui/review`);
  await press("Pause everything", "incident");
  for (const name of [kept, later]) {
    await visit(name);
    await press(/^Approve/);
    await stays("approved");
  }
  await visit(kept);
  expect(/^approval taken back: /.test(await press("Take the approval back")), "no word of the approval taken back");
  await page.goto(`${address}/ui/review`);
  await press("Resume sending");
  await visit(later);
  await becomes("in flight");
  await visit(kept);
  await stays("waits for you");

  await visit(more.ranOut);
  await page.getByText("Its need has changed since it ran out of memory").click();
  await page.getByText("At worst:").waitFor();
  await judge(page, "the form that clears");
  const form = page.locator("details form");
  await form.getByLabel("Reason, recorded with the decision").fill("smaller batches");
  await form.getByRole("button", { name: "Clear the out-of-memory" }).click();
  const cleared = await page.locator(".notice").first().textContent();
  expect(/^cleared: /.test(cleared), `no word of the clearing, but ${cleared}`);
  say("done");
}

// Two pages of one reader, and functions that go while they are looked at.
async function tabs(browser, { address, more }) {
  const { page, context } = await open(browser, address);
  await signIn(page, address, more.token);
  const [decided, gone] = more.functions;
  const { visit } = reader(page, address);
  const second = await context.newPage();
  const other = reader(second, address);
  // The second tab updates itself; what the first one did is shown in the first one.
  await listening(second, () => other.visit(decided));
  await visit(decided);
  const field = (name) => page.locator(`.decide input[name=${name}]`).inputValue();
  // The answer leads to the page that shows it; the other tab updates itself before this one has asked for that page.
  const form = { csrf: await field("csrf"), what: await field("what"), function: decided, action: "approve", back: "function" };
  const answer = await context.request.post(`${address}/ui/decide`, { form, headers: { origin: address }, maxRedirects: 0 });
  expect(answer.status() === 303, `the approval was answered with ${answer.status()}`);
  await second.locator("h1 .label", { hasText: "approved" }).waitFor();
  expect(await second.locator(".notice").count() === 0, "the other tab shows what this one did");
  await visit(decided);
  const words = await page.locator(".notice").allTextContents();
  expect(words.length === 1 && /^approved: /.test(words[0]), `the tab that decided shows ${words}`);
  // What the second tab still shows was decided in the first one.
  await page.goto(`${address}/ui/review`);
  const stale = await context.newPage();
  await stale.route("**/ui/events", (route) => route.abort());
  await stale.goto(`${address}/ui/function?name=${encodeURIComponent(gone)}`);
  await fetch(`${address}/${more.token}/review`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ action: "forget", what: gone, by: "Grace" }),
  });
  await stale.getByRole("button", { name: /^Approve/ }).click();
  await stale.getByRole("heading", { name: "Not found" }).waitFor();
  expect(/^no function or recommendation/.test(await stale.locator(".notice.refused").textContent()), "the refusal is not shown");
  // Another sign-in ends the forms of the one before.
  await visit(more.functions[2]);
  await second.getByRole("button", { name: "Sign out" }).click();
  await signIn(second, address, more.token);
  page.removeAllListeners("console");
  await page.getByRole("button", { name: "Reject" }).first().click();
  await page.getByRole("heading", { name: "Nothing was decided" }).waitFor();
  say("done");
}

async function tabTo(page, reached, value) {
  for (let n = 0; n < 400; n += 1) {
    if (await page.evaluate(reached, value)) return;
    await page.keyboard.press("Tab");
  }
  wrong(`the keyboard does not reach ${value ?? reached}`);
}

async function report(browser, { address, more, pictures }) {
  fs.mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    const { page, context } = await open(browser, "null", { colorScheme, bypassCSP: true, viewport: { width: 1280, height: 1000 } });
    page.removeAllListeners("request");
    page.on("request", (request) => expect(request.url() === address || request.url().startsWith("data:"), `request to ${request.url()}`));
    await page.goto(address);
    expect(await page.getByText(more.hostile, { exact: true }).isVisible(), "a hostile name is not shown as text");
    await judge(page, `a report, ${colorScheme}`);
    await page.screenshot({ path: `${pictures}/report-${colorScheme}-1280.png`, fullPage: true });
    await page.getByLabel("Filter by name or status").fill("billing-");
    if (colorScheme === "light") say(`filtered to ${await page.locator("tbody tr:visible").count()}`);
    await context.close();
  }
}

// A function that was tuned, and a page of forced starts.
async function tuned(browser, { address, more, pictures }) {
  fs.mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    const { page, context } = await open(browser, address, { colorScheme, bypassCSP: true, viewport: { width: 1280, height: 1000 } });
    await signIn(page, address, more.token);
    await reader(page, address).visit(more.function);
    expect(await page.locator("path.tuned").count() === more.sizes, "not every tuned size is drawn");
    await page.getByText("The numbers of tuning runs").click();
    await page.getByRole("cell", { name: more.cost }).waitFor();
    await page.getByRole("heading", { name: "Cost of cold starts" }).waitFor();
    await judge(page, "a tuned function");
    await page.screenshot({ path: `${pictures}/tuned-${colorScheme}-1280.png`, fullPage: true });
    const forced = page.locator("section[aria-labelledby=forced-starts]");
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await forced.locator("tbody tr").count() === 4, "not every size of the forced starts is listed");
      await judge(page, `forced starts of a function, ${width}`);
      await forced.screenshot({ path: `${pictures}/forced-${colorScheme}-${width}.png` });
    }
    await context.close();
  }
  say("looked: a tuned function");
}

async function bench(browser, { address, pictures }) {
  fs.mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [320, 1280]) {
      const { page, context } = await open(browser, "null", { colorScheme, bypassCSP: true, viewport: { width, height: 900 } });
      page.removeAllListeners("request");
      page.on("request", (request) => expect(request.url() === address, `request to ${request.url()}`));
      await page.goto(address);
      await page.getByText("image starts take").first().waitFor();
      await judge(page, `forced starts, ${colorScheme}, ${width}`);
      await page.screenshot({ path: `${pictures}/starts-${colorScheme}-${width}.png`, fullPage: true });
      say("looked: forced starts");
      await context.close();
    }
  }
}

async function ui(browser, { address }) {
  const { page } = await open(browser, new URL(address).origin);
  await page.goto(address);
  await page.getByRole("heading", { name: "Fleet" }).waitFor();
  expect(!page.url().includes("code"), "the code stays in the address");
  await page.getByRole("link", { name: /^Review/ }).first().click();
  await page.locator("tbody th a").first().click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  const arn = await page.locator(".arn").textContent();
  await page.getByRole("button", { name: /^Approve/ }).click();
  await page.getByText(/^approved: /).first().waitFor();
  say(`approved ${arn}`);
}

(async () => {
  const input = JSON.parse(fs.readFileSync(0, "utf8"));
  const parts = { looks, live, actions, stream, tabs, report, ui, tuned, bench };
  const browser = await chromium.launch(program());
  try {
    await parts[input.part](browser, input);
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
