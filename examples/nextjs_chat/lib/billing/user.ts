// Who pays. This file is yours: it was written once.

import { cookies } from "next/headers";
import { userOfSession } from "@/lib/session";

/** The signed-in user's id, which never changes. */
export async function currentUserId(): Promise<string | undefined> {
  const session = (await cookies()).get("session")?.value;
  return session && userOfSession(session);
}
