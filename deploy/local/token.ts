/**
 * Prints an access token of the local stack and nothing else:
 * `npm run -s token -- --tenant acme --user ada --role editor`.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { roles, type Role } from '#domain/access/principal.ts';
import { tenantIdSchema } from '#domain/assets/record.ts';
import { reportFailure } from './failure.ts';
import { fetchToken } from './fetch-token.ts';
import { openStack } from './stack.ts';

interface TokenOptions {
  readonly tenant: string;
  readonly user: string;
  readonly role: readonly Role[];
  readonly expiresIn: number;
  readonly stack?: string;
}

const command = new Command('token')
  .description("get an access token from the local stack's OpenID provider")
  .requiredOption('--tenant <id>', 'the tenant to act for', parseTenant)
  .requiredOption('--user <name>', 'the user to act as')
  .addOption(
    new Option('--role <role>', `a role, repeatable: ${roles.join(', ')}`).argParser(collectRole).makeOptionMandatory(),
  )
  .option('--expires-in <seconds>', 'how long it is valid', parseSeconds, 3600)
  .option('--stack <name>', 'the stack (default: LILY_STACK or dev)')
  .action(async ({ tenant, user, role, expiresIn, stack }: TokenOptions) => {
    const token = await fetchToken(openStack(stack), { tenant, user, roles: role, expiresInSeconds: expiresIn });
    process.stdout.write(`${token}\n`);
  });

function parseTenant(value: string): string {
  const parsed = tenantIdSchema.safeParse(value);
  if (!parsed.success)
    throw new InvalidArgumentError(`A tenant id ${parsed.error.issues[0]?.message ?? 'is different'}.`);
  return parsed.data;
}

function collectRole(value: string, collected: readonly Role[] = []): Role[] {
  const role = roles.find((candidate) => candidate === value);
  if (role === undefined) throw new InvalidArgumentError(`The roles are ${roles.join(', ')}.`);
  return [...collected, role];
}

function parseSeconds(value: string): number {
  const seconds = Number(value);
  if (!Number.isInteger(seconds) || seconds < 1)
    throw new InvalidArgumentError('It must be a whole number of seconds.');
  return seconds;
}

try {
  await command.parseAsync();
} catch (error) {
  reportFailure(error);
}
