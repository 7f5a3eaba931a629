// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import { webhookAnswer, withBilling } from "@/lib/billing";

export const POST = withBilling(webhookAnswer);
