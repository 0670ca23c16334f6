import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import { artefactStoreContract } from './contract.ts'

artefactStoreContract('memory', async () => openMemoryArtefacts())
