import { openai } from "@ai-sdk/openai";
import { streamText } from "ai";
import { billedStream, hold, withBilling } from "@/lib/billing";

export const POST = withBilling(async (request) => {
  const { prompt } = (await request.json()) as { prompt: string };
  const charge = await hold(request, "chat_message", { tokens: 2000 });
  const answer = streamText({
    model: openai("gpt-5-mini"),
    prompt,
    abortSignal: request.signal,
    onFinish: ({ totalUsage }) => charge.use({ tokens: totalUsage.totalTokens ?? 2000 }),
  });
  return billedStream(charge, answer.textStream);
});
