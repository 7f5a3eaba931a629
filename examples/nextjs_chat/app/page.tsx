"use client";

import { useState } from "react";
import { BillingBalance } from "@/components/billing-balance";

export default function Page() {
  const [answer, setAnswer] = useState("");

  async function ask(form: FormData) {
    const response = await fetch("/api/chat", {
      method: "POST",
      headers: { "idempotency-key": crypto.randomUUID() },
      body: JSON.stringify({ prompt: form.get("prompt") }),
    });
    if (!response.ok || !response.body) {
      setAnswer((await response.json()).message);
      return;
    }
    let text = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      text += read.value;
      setAnswer(text);
    }
  }

  return (
    <main>
      <BillingBalance />
      <form action={ask}>
        <input name="prompt" />
        <button type="submit">Ask</button>
      </form>
      <p>{answer}</p>
    </main>
  );
}
