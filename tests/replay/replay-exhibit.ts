/** Run by the museum's tests in a process of its own: prints what follows from an exhibit as JSON. */
import { replayExhibit } from './exhibit.ts'

process.stdout.write(JSON.stringify(await replayExhibit(process.argv[2]!)))
