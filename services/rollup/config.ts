/** Rollup has no settings: window, grace, lateness, sources, rules and calendar come with the plan that a tick names. */
export const rollupSettings: readonly string[] = []
