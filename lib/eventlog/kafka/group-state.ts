import { ObstreamError } from '#lib/errors.ts'
import type { Cluster } from './cluster.ts'
import { requestOf } from './kafkajs.ts'
import { patiently } from './patience.ts'

interface DescribedGroups {
  readonly groups: readonly {
    readonly members: readonly { readonly clientId: string; readonly clientHost: string }[]
  }[]
}

/** @throws OBS_LOG_GROUP_HELD when the group has members */
export async function refuseCompany(cluster: Cluster, group: string): Promise<void> {
  const { groups } = await patiently(`The members of ${group}`, async () => {
    try {
      const line = await cluster.coordinatorLine(group, 'ask')
      return await line.send<DescribedGroups>((versions) =>
        requestOf('DescribeGroups', versions, { groupIds: [group] }),
      )
    } catch (error) {
      cluster.forgetCoordinator(group)
      throw error
    }
  })
  const [member] = groups[0]?.members ?? []
  if (member)
    throw new ObstreamError(
      'OBS_LOG_GROUP_HELD',
      `${group} is running already (${member.clientId} on ${member.clientHost})`,
    )
}
