import avsc from 'avsc'
import { ObstreamError } from '#lib/errors.ts'
import type { AvroSchema } from './port.ts'

/** A schema under its subject. @throws OBS_REGISTRY_INCOMPATIBLE when it is no Avro schema */
export function parseSchema(subject: string, schema: AvroSchema): avsc.Type {
  try {
    return avsc.Type.forSchema(schema as unknown as avsc.schema.AvroSchema)
  } catch (error) {
    const reason = (error as Error).message
    throw new ObstreamError('OBS_REGISTRY_INCOMPATIBLE', `the schema of ${subject} is no Avro schema: ${reason}`, {
      cause: error,
    })
  }
}

/** What to say of a new schema that cannot read what an earlier one wrote. */
export function incompatible(subject: string, writerId: number, found: string): ObstreamError {
  return new ObstreamError(
    'OBS_REGISTRY_INCOMPATIBLE',
    `the new schema of ${subject} cannot read what was written with schema ${writerId}: ${found}`,
  )
}

/**
 * Why a reader's schema cannot read what a writer's schema wrote, as Avro resolves them, with the field's name and what
 * to do; `undefined` when it can.
 *
 * avsc decides; this only finds the place, since avsc names a field in one of its messages and whole schemas in others.
 */
export function obstacle(reader: avsc.Type, writer: avsc.Type): string | undefined {
  const refusal = refusalOf(reader, writer)
  return refusal === undefined ? undefined : (locate(reader, writer, '') ?? refusal)
}

function refusalOf(reader: avsc.Type, writer: avsc.Type): string | undefined {
  try {
    reader.createResolver(writer)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function locate(reader: avsc.Type, writer: avsc.Type, place: string): string | undefined {
  if (refusalOf(reader, writer) === undefined) return undefined
  const { RecordType, ArrayType, MapType, EnumType } = avsc.types
  if (reader instanceof RecordType && writer instanceof RecordType) return locateInRecord(reader, writer, place)
  if (reader instanceof ArrayType && writer instanceof ArrayType)
    return locate(reader.itemsType, writer.itemsType, `${place}[]`)
  if (reader instanceof MapType && writer instanceof MapType)
    return locate(reader.valuesType as avsc.Type, writer.valuesType as avsc.Type, `${place}{}`)
  if (reader instanceof EnumType && writer instanceof EnumType) return describeEnum(reader, writer, place)
  if (branchesOf(reader) || branchesOf(writer)) return locateInUnion(reader, writer, place)
  return `${place}: ${describe(writer)} became ${describe(reader)}. ${KEEP_TYPE}`
}

const KEEP_TYPE = 'Keep the type and add a new field with a default instead, or make a new topic.'

function locateInRecord(
  reader: avsc.types.RecordType,
  writer: avsc.types.RecordType,
  place: string,
): string | undefined {
  if (!namesOf(reader).includes(writer.name!))
    return `${place || 'the record'}: ${writer.name} became ${reader.name}. Give the record its old name as an alias.`
  for (const field of reader.fields) {
    const path = place === '' ? field.name : `${place}.${field.name}`
    const written = writer.fields.find((candidate) => [field.name, ...field.aliases].includes(candidate.name))
    if (!written && field.defaultValue() === undefined)
      return `${path}: is new and has no default. Give it a default, or its old name as an alias if it was renamed.`
    const found = written && locate(field.type, written.type, path)
    if (found !== undefined) return found
  }
  return undefined
}

function describeEnum(reader: avsc.types.EnumType, writer: avsc.types.EnumType, place: string): string {
  const gone = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol))
  if (gone.length === 0)
    return `${place}: the enum ${writer.name} became ${reader.name}. Give it its old name as an alias.`
  return `${place}: the symbol ${gone.join(', ')} is gone. Keep it, or give the enum a default.`
}

function locateInUnion(reader: avsc.Type, writer: avsc.Type, place: string): string {
  const readable = branchesOf(reader) ?? [reader]
  const unread = (branchesOf(writer) ?? [writer]).find((branch) =>
    readable.every((candidate) => refusalOf(candidate, branch) !== undefined),
  )!
  const counterpart = readable.find((candidate) => candidate.branchName === unread.branchName)
  const found = counterpart && locate(counterpart, unread, place)
  return found ?? `${place}: ${describe(unread)} can no longer be read. Keep it in the union, or make a new topic.`
}

function branchesOf(type: avsc.Type): readonly avsc.Type[] | undefined {
  return 'types' in type ? (type.types as readonly avsc.Type[]) : undefined
}

function namesOf(type: avsc.Type): readonly string[] {
  return [type.name ?? '', ...(type.aliases ?? [])]
}

function describe(type: avsc.Type): string {
  const branches = branchesOf(type)
  return branches ? branches.map(describe).join(' or ') : (type.name ?? type.typeName)
}
