// A billing server for tests: one price, exact balances in cents, on a port of its own.

import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

export const PRICE = 5;

interface Usage {
  id: string;
  data?: { units?: number };
  llm_usage?: { model: string; usage?: object }[];
  authorization_id?: string;
}

interface Held {
  user: string;
  cost: number;
  status: string;
  metadata: unknown;
}

type Body = Usage & {
  customer_external_id?: string;
  customer_id?: string;
  external_id: string;
  metadata?: unknown;
  event: Usage;
  events: Usage[];
};

/** `balances` by user, in cents; an event costs PRICE, or its `units` times as much. */
export class FakeBilling {
  url = "";
  down = false;
  balances = new Map<string, number>();
  holds = new Map<string, Held>();
  events = new Map<string, Usage>();
  private server: Server | undefined;

  async start(): Promise<this> {
    const server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      const [status, said] = this.answer(request.url ?? "", JSON.parse(text || "{}") as Body);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(said));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.server = server;
    return this;
  }

  stop(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }

  available(user: string): number {
    const open = [...this.holds.values()].filter(
      (held) => held.user === user && held.status === "authorized",
    );
    return (this.balances.get(user) ?? 0) - open.reduce((sum, { cost }) => sum + cost, 0);
  }

  private answer(path: string, body: Body): [number, object] {
    if (this.down) return [503, {}];
    const [, noun, name = "", verb = ""] = path.split("/");
    const user = body.customer_external_id ?? body.customer_id ?? decodeURIComponent(name);
    if (noun === "wallets") {
      this.balances.set(body.external_id, this.balances.get(body.external_id) ?? 0);
      return [201, {}];
    }
    if (noun === "authorizations" && name) return this.close(name, verb, body);
    const known = this.balances.has(user) || user === "internal";
    if (!known) return [422, { code: "unknown_reference" }];
    if (noun === "authorizations") return this.authorize(user, body);
    if (noun === "events") {
      for (const event of body.events) {
        this.bill(user, event);
        const held = this.holds.get(event.authorization_id ?? "");
        if (held) held.status = "captured";
      }
      return [200, {}];
    }
    if (noun === "customers") {
      const available = this.available(user) / 100;
      return [200, { accounts: [{ id: "default:USD", available }] }];
    }
    return [201, { redirect_url: `${this.url}/pay/${user}` }];
  }

  private authorize(user: string, body: Body): [number, object] {
    const { metadata } = body;
    const known = this.holds.get(body.id);
    if (known) return [200, { metadata: known.metadata }];
    const available = this.available(user);
    const missing = cost(body) - available;
    if (missing > 0) {
      const amounts = { available: available / 100, missing: missing / 100 };
      return [402, { code: "insufficient_balance", ...amounts }];
    }
    this.holds.set(body.id, { user, cost: cost(body), status: "authorized", metadata });
    return [201, { metadata }];
  }

  private close(name: string, verb: string, body: Body): [number, object] {
    const held = this.holds.get(name);
    if (!held) return [404, { code: "not_found" }];
    if (verb === "capture" && held.status === "authorized") this.bill(held.user, body.event);
    held.status = `${verb}d`;
    return [200, {}];
  }

  private bill(user: string, event: Usage): void {
    if (this.events.has(event.id)) return;
    this.events.set(event.id, event);
    this.balances.set(user, (this.balances.get(user) ?? 0) - cost(event));
  }
}

function cost(usage: Usage): number {
  return PRICE * (usage.data?.units ?? 1);
}
