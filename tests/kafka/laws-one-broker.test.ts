import { theRecordedDeskOn, theRecordedDeskOnOneMachine } from './recorded-desk.contract.ts'

theRecordedDeskOnOneMachine()
theRecordedDeskOn(1)
