// The health check of Lily's own containers: passes when the address answers with a success.
const [address] = process.argv.slice(2);
const healthy = await fetch(address, { signal: AbortSignal.timeout(4000) }).then(
  (response) => response.ok,
  () => false,
);
process.exit(healthy ? 0 : 1);
