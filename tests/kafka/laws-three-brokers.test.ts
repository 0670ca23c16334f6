import { theRecordedDeskOn } from './recorded-desk.contract.ts'

theRecordedDeskOn(3)
