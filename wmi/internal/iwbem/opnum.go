package iwbem

// Operation numbers of IWbemLevel1Login.
const (
	OpEstablishPosition uint16 = 3
	OpRequestChallenge  uint16 = 4
	OpWBEMLogin         uint16 = 5
	OpNTLMLogin         uint16 = 6
)

// Operation numbers of IWbemLoginClientID and IWbemLoginClientIDEx.
const (
	OpSetClientInfo   uint16 = 3
	OpSetClientInfoEx uint16 = 3
)

// Operation numbers of IWbemServices.
const (
	OpOpenNamespace              uint16 = 3
	OpCancelAsyncCall            uint16 = 4
	OpQueryObjectSink            uint16 = 5
	OpGetObject                  uint16 = 6
	OpGetObjectAsync             uint16 = 7
	OpPutClass                   uint16 = 8
	OpPutClassAsync              uint16 = 9
	OpDeleteClass                uint16 = 10
	OpDeleteClassAsync           uint16 = 11
	OpCreateClassEnum            uint16 = 12
	OpCreateClassEnumAsync       uint16 = 13
	OpPutInstance                uint16 = 14
	OpPutInstanceAsync           uint16 = 15
	OpDeleteInstance             uint16 = 16
	OpDeleteInstanceAsync        uint16 = 17
	OpCreateInstanceEnum         uint16 = 18
	OpCreateInstanceEnumAsync    uint16 = 19
	OpExecQuery                  uint16 = 20
	OpExecQueryAsync             uint16 = 21
	OpExecNotificationQuery      uint16 = 22
	OpExecNotificationQueryAsync uint16 = 23
	OpExecMethod                 uint16 = 24
	OpExecMethodAsync            uint16 = 25
)

// Operation numbers of IEnumWbemClassObject.
const (
	OpReset     uint16 = 3
	OpNext      uint16 = 4
	OpNextAsync uint16 = 5
	OpClone     uint16 = 6
	OpSkip      uint16 = 7
)

// Operation numbers of IWbemFetchSmartEnum and IWbemWCOSmartEnum.
const (
	OpGetSmartEnum uint16 = 3
	OpSmartNext    uint16 = 3
)

// Operation numbers of IWbemCallResult.
const (
	OpGetResultObject   uint16 = 3
	OpGetResultString   uint16 = 4
	OpGetResultServices uint16 = 5
	OpGetCallStatus     uint16 = 6
)

// Operation numbers of IWbemObjectSink.
const (
	OpIndicate  uint16 = 3
	OpSetStatus uint16 = 4
)

// Operation numbers of IWbemRefreshingServices.
const (
	OpAddObjectToRefresher           uint16 = 3
	OpAddObjectToRefresherByTemplate uint16 = 4
	OpAddEnumToRefresher             uint16 = 5
	OpRemoveObjectFromRefresher      uint16 = 6
	OpGetRemoteRefresher             uint16 = 7
	OpReconnectRemoteRefresher       uint16 = 8
)

// Operation numbers of IWbemRemoteRefresher; 5 is not used on the wire.
const (
	OpRemoteRefresh  uint16 = 3
	OpStopRefreshing uint16 = 4
)

// Operation numbers of IWbemBackupRestore and IWbemBackupRestoreEx.
const (
	OpBackup  uint16 = 3
	OpRestore uint16 = 4
	OpPause   uint16 = 5
	OpResume  uint16 = 6
)
