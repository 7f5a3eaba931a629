"use client";

// The user's balance with a button to top up. This file is yours: it was written once.

import { useEffect, useState } from "react";

interface Balance {
  available: string;
  asset: string;
}

export function BillingBalance() {
  const [balance, setBalance] = useState<Balance>();

  useEffect(() => {
    const reading = new AbortController();
    fetch("/api/billing/balance", { signal: reading.signal })
      .then((answer) => (answer.ok ? answer.json() : undefined))
      .then(setBalance)
      .catch(() => undefined);
    return () => reading.abort();
  }, []);

  if (!balance) return null;
  return (
    <div>
      <span>
        {balance.available} {balance.asset}
      </span>
      <form action="/api/billing/top-up" method="post">
        <button type="submit">Top up</button>
      </form>
      <form action="/api/billing/portal" method="post">
        <button type="submit">Billing</button>
      </form>
    </div>
  );
}
