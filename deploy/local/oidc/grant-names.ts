/** The client that may ask for anybody's token. It exists in local stacks only. */
export const DEVELOPMENT_CLIENT = 'lily-development';

/** A grant that issues an access token for whoever is named: what signing in as that person would give. */
export const DEVELOPMENT_GRANT = 'urn:lily:grant-type:development';
