// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import { connection } from "next/server";
import { balanceAnswer, signedIn, withBilling } from "@/lib/billing";

export const GET = withBilling(async () => {
  await connection(); // a balance is of now, so it is never prerendered
  return balanceAnswer(await signedIn());
});
