// A person in front of the hub's own pages, in Chromium without a window: signs in and answers, with keyboard and mouse.
//
// node sign_in.mjs CHROMIUM < requests: one request in JSON per line, one answer per line, in order.
//   {"url": ..., "user": ..., "password": ...} -> {"final": the address that the browser was sent to, ...}
// Also understood: "decision" (allow, cancel), "javascript" (false switches it off), "scheme" (light, dark), "stumble" (a wrong
// password first), "device" (the code that a device shows: typed unless it is there already, and the visit ends at the hub),
// "screenshot" (a file, written when something fails).
import readline from "node:readline";
import { chromium } from "playwright-core";

const PATIENCE = 20_000;
const WRONG = "Not-the-password-1";

class Visit {
  constructor(page, request) {
    Object.assign(this, { page, request, seen: [], faults: [], final: null, landed: null });
    this.home = new URL(request.url).origin;
    page.on("request", (made) => this.look(made));
    page.on("response", (answer) => {
      if (this.final && answer.url() === this.final) this.landed = answer.status();
    });
    page.on("pageerror", (error) => this.faults.push(`a script failed: ${error.message}`));
    page.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) this.faults.push(message.text());
    });
  }

  // The pages load nothing of anybody else, and end where the program waits.
  look(made) {
    if (new URL(made.url()).origin === this.home || this.final) return;
    if (made.isNavigationRequest() && made.frame() === this.page.mainFrame()) this.final = made.url();
    else this.faults.push(`the page asks for ${made.url()}`);
  }

  async run() {
    const { page, request } = this;
    await page.goto(request.url);
    if (request.device) await this.enterCode();
    await this.signIn();
    const told = await this.answer();
    if (this.faults.length > 0) throw new Error(this.faults.join("\n"));
    return { ...told, pages: this.seen, final: this.final, landed: this.landed };
  }

  async title(words) {
    const heading = this.page.getByRole("heading", { level: 1, name: words });
    await heading.waitFor();
    this.seen.push(await heading.innerText());
  }

  // The cursor is where a person begins to type; from there everything goes by the keyboard.
  async signIn() {
    const { page, request } = this;
    await this.title("Sign in");
    await page.locator("#username:focus").waitFor();
    await page.keyboard.type(request.user);
    await page.keyboard.press("Tab");
    if (request.stumble) {
      await page.keyboard.type(WRONG);
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
      this.seen.push(await page.getByRole("alert").innerText());
    }
    await page.locator("#password:focus").waitFor();
    await page.keyboard.type(request.password);
    await page.keyboard.press("Enter");
  }

  async answer() {
    const { page, request } = this;
    await this.title(/^Allow /);
    const warning = page.locator(".warning");
    const told = {
      client: await page.locator("h1 strong").innerText(),
      scopes: await page.getByRole("listitem").allInnerTexts(),
      warned: (await warning.count()) > 0,
      text: await page.locator("main").innerText(),
    };
    const decision = request.decision ?? "allow";
    await page.getByRole("button", { name: decision === "allow" ? "Allow" : "Cancel", exact: true }).click();
    if (request.device) {
      await this.title(decision === "allow" ? "The device is connected" : "The device was not connected");
      return told;
    }
    await page.waitForURL((url) => url.origin !== this.home, { waitUntil: "load" });
    return told;
  }

  async enterCode() {
    const { page, request } = this;
    await this.title("Connect a device");
    const field = page.getByLabel("Code");
    if ((await field.inputValue()) === "") {
      await page.locator("#user_code:focus").waitFor();
      await page.keyboard.type(request.device.toLowerCase().replace("-", ""));
    } else if ((await field.inputValue()) !== request.device) {
      throw new Error(`the device shows ${request.device}, the page ${await field.inputValue()}`);
    }
    await page.getByRole("button", { name: "Continue" }).click();
  }
}

// What was thrown, and what was to be seen then.
async function explained(page, error) {
  const text = await page.locator("body").innerText({ timeout: 1000 }).catch(() => "nothing");
  return `${error.message}\nat ${page.url()} the page says:\n${text}`;
}

const root = process.getuid?.() === 0;
const browser = await chromium.launch({ executablePath: process.argv[2], args: root ? ["--no-sandbox"] : [] });

for await (const line of readline.createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const { javascript = true, scheme = "light" } = request;
  const context = await browser.newContext({ javaScriptEnabled: javascript, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  let answer;
  try {
    answer = await new Visit(page, request).run();
  } catch (error) {
    answer = { error: await explained(page, error) };
    if (request.screenshot) await page.screenshot({ path: request.screenshot, fullPage: true }).catch(() => {});
  }
  await context.close();
  console.log(JSON.stringify(answer));
}
await browser.close();
