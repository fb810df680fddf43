/** How failures read: the server's refusals, and our own. */

import { window } from "vscode";

/** What an error says, and what to do about it. */
export function refusal(error: unknown): { message: string; hint: string } {
  const { message, data } = error as { message?: string; data?: { hint?: string } };
  return { message: message ?? String(error), hint: data?.hint ?? "" };
}

/** Does what somebody asked for, and says so where it cannot be done. */
export async function telling(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    const { message, hint } = refusal(error);
    void window.showErrorMessage(`Sightline: ${[message, hint].filter((part) => part !== "").join(" ")}`);
  }
}
