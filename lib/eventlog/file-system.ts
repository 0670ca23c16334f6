import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { ObstreamError } from '#lib/errors.ts'

/** File systems whose locks or shared memory do not reach all machines that see the file. */
const NETWORK_FILE_SYSTEMS = new Set([
  '9p',
  'afs',
  'ceph',
  'cifs',
  'drvfs',
  'fuse.glusterfs',
  'fuse.s3fs',
  'fuse.sshfs',
  'gfs2',
  'glusterfs',
  'lustre',
  'ncpfs',
  'nfs',
  'nfs4',
  'ocfs2',
  'smb3',
  'smbfs',
  'vboxsf',
])

/**
 * The type of the network file system that a path lies on.
 *
 * @param mounts text of `/proc/mounts`
 * @returns `undefined` for a local one
 */
export function networkFileSystem(path: string, mounts: string): string | undefined {
  let best = { point: '', type: '' }
  for (const line of mounts.split('\n')) {
    const [, rawPoint = '', type = ''] = line.split(' ')
    const point = rawPoint.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    const contains = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`)
    // Of two mounts on one point the later one counts.
    if (point !== '' && contains && point.length >= best.point.length) best = { point, type }
  }
  return NETWORK_FILE_SYSTEMS.has(best.type) ? best.type : undefined
}

/**
 * Makes the folder of a file and the file, if they are not there, for their owner only, durably.
 *
 * @throws OBS_LOG_UNSUPPORTED on a network file system · OBS_LOG_IO
 */
export function createPrivateFile(path: string): void {
  const folder = dirname(path)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    refuseNetworkFileSystem(path, realpathSync(folder))
    closeSync(openSync(path, 'a', 0o600))
    const descriptor = openSync(folder, 'r')
    fsyncSync(descriptor)
    closeSync(descriptor)
  } catch (error) {
    if (error instanceof ObstreamError) throw error
    throw new ObstreamError('OBS_LOG_IO', `${path} cannot be created: ${(error as Error).message}`, { cause: error })
  }
}

function refuseNetworkFileSystem(path: string, folder: string): void {
  if (process.platform !== 'linux') return
  const type = networkFileSystem(folder, readFileSync('/proc/self/mounts', 'utf8'))
  if (type === undefined) return
  throw new ObstreamError(
    'OBS_LOG_UNSUPPORTED',
    `${path} lies on a network file system (${type}), where locks do not hold. Put the log on a local disk.`,
  )
}
