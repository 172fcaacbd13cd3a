export { typedLabels } from '#domain/search-attributes.ts';
