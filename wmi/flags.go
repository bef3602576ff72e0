package wmi

// Flags of the methods of IWbemServices. The same bit means different things to different methods. See [MS-WMI] 2.2.5, 2.2.6 and 2.2.9.
const (
	FlagUpdateOnly uint32 = 0x1  // Put*: WBEM_FLAG_UPDATE_ONLY
	FlagCreateOnly uint32 = 0x2  // Put*: WBEM_FLAG_CREATE_ONLY; neither: either
	FlagSafeMode   uint32 = 0x20 // PutClass: WBEM_FLAG_UPDATE_SAFE_MODE
	FlagForceMode  uint32 = 0x40 // PutClass: WBEM_FLAG_UPDATE_FORCE_MODE

	FlagShallow   uint32 = 0x1 // enumerations: WBEM_FLAG_SHALLOW; without it deep
	FlagPrototype uint32 = 0x2 // queries: WBEM_FLAG_PROTOTYPE

	FlagReturnImmediately    uint32 = 0x10       // WBEM_FLAG_RETURN_IMMEDIATELY: the call is semisynchronous
	FlagForwardOnly          uint32 = 0x20       // WBEM_FLAG_FORWARD_ONLY: an enumerator without Reset and Clone
	FlagNoErrorObject        uint32 = 0x40       // WBEM_FLAG_NO_ERROR_OBJECT
	FlagSendStatus           uint32 = 0x80       // WBEM_FLAG_SEND_STATUS: SetStatus with progress, too
	FlagEnsureLocatable      uint32 = 0x100      // WBEM_FLAG_ENSURE_LOCATABLE: objects have paths
	FlagDirectRead           uint32 = 0x200      // WBEM_FLAG_DIRECT_READ: of the class's own provider alone
	FlagUseAmendedQualifiers uint32 = 0x20000    // WBEM_FLAG_USE_AMENDED_QUALIFIERS
	FlagStrongValidation     uint32 = 0x100000   // WBEM_FLAG_STRONG_VALIDATION
	MaskReservedFlags        uint32 = 0x0001F000 // WBEM_MASK_RESERVED_FLAGS

	// FlagForceShutdown lets Restore end the connections of others: WBEM_FLAG_BACKUP_RESTORE_FORCE_SHUTDOWN, [MS-WMI] 2.2.10.
	FlagForceShutdown uint32 = 0x1
)

// Flags of ConnectServer.
const (
	FlagConnectRepositoryOnly uint32 = 0x40  // WBEM_FLAG_CONNECT_REPOSITORY_ONLY: reserved
	FlagConnectUseMaxWait     uint32 = 0x80  // WBEM_FLAG_CONNECT_USE_MAX_WAIT: give up after two minutes
	FlagConnectProviders      uint32 = 0x100 // WBEM_FLAG_CONNECT_PROVIDERS: reserved
)

// What IWbemObjectSink::SetStatus says in its flags: a value, not bits. See [MS-WMI] 2.2.7.
const (
	StatusComplete     uint32 = 0
	StatusRequirements uint32 = 1
	StatusProgress     uint32 = 2
)
