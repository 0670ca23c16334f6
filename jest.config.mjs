/** Node runs the product's TypeScript itself; Jest strips the types the same way, so line numbers and coverage stay right. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/tests/support/strip-types.mjs' },
  globalSetup: '<rootDir>/tests/support/kafka/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/kafka/global-teardown.ts',
  testTimeout: 30_000,
  maxWorkers: 2,
}
