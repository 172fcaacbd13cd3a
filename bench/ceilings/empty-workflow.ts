/** A workflow that does nothing: what Temporal takes for one by itself. */
export async function emptyWorkflow(): Promise<void> {}
