import { closeHost } from './shared-host.ts'

export default closeHost
