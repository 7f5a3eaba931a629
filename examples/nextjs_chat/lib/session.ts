// Who a session belongs to. A real app has a sign-in; here a session is signed by a script.

import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET = process.env.SESSION_SECRET ?? "only for development";

export function userOfSession(session: string): string | undefined {
  const [name = "", code = ""] = session.split(".");
  const good = createHmac("sha256", SECRET).update(name).digest("hex");
  const same = code.length === good.length && timingSafeEqual(Buffer.from(code), Buffer.from(good));
  return same ? name : undefined;
}
