import { expect, test } from '@jest/globals'
import { networkFileSystem } from '#lib/eventlog/file-system.ts'

const MOUNTS = `
/dev/vda / ext4 rw,relatime 0 0
tmpfs /dev/shm tmpfs rw 0 0
server:/export /mnt/share nfs4 rw,vers=4.2 0 0
/dev/vdb /mnt/share/local xfs rw 0 0
//server/files /mnt/my\\040files cifs rw 0 0
me@server: /home/me/remote fuse.sshfs rw 0 0
/dev/sdc1 /media/stick fuseblk rw 0 0
/dev/vdc /twice ext4 rw 0 0
server:/export /twice nfs rw 0 0
`

test.each([
  ['/mnt/share/log', 'nfs4'],
  ['/mnt/share', 'nfs4'],
  ['/mnt/my files/log', 'cifs'],
  ['/home/me/remote/a/b', 'fuse.sshfs'],
  ['/twice/log', 'nfs'],
  ['/mnt/share/local/log', undefined],
  ['/mnt/shared', undefined],
  ['/media/stick/log', undefined],
  ['/dev/shm/log', undefined],
  ['/srv/log', undefined],
])('%s lies on %s', (path, type) => {
  expect(networkFileSystem(path, MOUNTS)).toBe(type)
})
