// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import { signedIn, topUpAnswer, withBilling } from "@/lib/billing";

export const POST = withBilling(async (request) => topUpAnswer(request, await signedIn()));
