export interface WarehouseAccount {
  database: string;
  user: string;
  password: string;
}

/** Name, user and password of the demonstration warehouse; it listens on the loopback interface only. */
export const warehouseAccount: WarehouseAccount = { database: 'warehouse', user: 'lily', password: 'lily-local' };

/** The URL that a crawl of the warehouse is given. */
export function warehouseUrl(port: number): string {
  const { database, user, password } = warehouseAccount;
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
}
