import { kafka } from './kafka.ts';
import { mongo } from './mongo.ts';
import { neo4j } from './neo4j.ts';
import { api, oidc, warehouse, worker } from './own-processes.ts';
import { temporal } from './temporal.ts';
import type { Service, ServiceName } from './service.ts';

/** Every service of a stack, by name. */
export const SERVICES: Readonly<Record<ServiceName, Service>> = {
  mongo,
  kafka,
  neo4j,
  temporal,
  oidc,
  warehouse,
  worker,
  api,
};
