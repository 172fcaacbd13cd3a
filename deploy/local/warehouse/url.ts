/** Name, user and password of the demonstration warehouse; it listens on the loopback interface only. */
export const warehouseAccount = { database: 'warehouse', user: 'lily', password: 'lily-local' } as const;

/** The URL that a crawl of the warehouse is given. */
export function warehouseUrl(port: number): string {
  const { database, user, password } = warehouseAccount;
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
}
