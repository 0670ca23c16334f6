import { openHost } from './shared-host.ts'

export default openHost
