package cim

// Success codes. An enumeration may end with one that says what was left out.
const (
	StatusOK                 Status = 0x0
	StatusFalse              Status = 0x1
	StatusAlreadyExists      Status = 0x40001
	StatusResetToDefault     Status = 0x40002
	StatusDifferent          Status = 0x40003
	StatusTimedOut           Status = 0x40004
	StatusNoMoreData         Status = 0x40005
	StatusOperationCancelled Status = 0x40006
	StatusPending            Status = 0x40007
	StatusDuplicateObjects   Status = 0x40008
	StatusAccessDenied       Status = 0x40009
	StatusPartialResults     Status = 0x40010
	StatusNewStyle           Status = 0x400FF
	StatusLimitedService     Status = 0x43001
	StatusIndirectlyUpdated  Status = 0x43002
	StatusSubjectToSDS       Status = 0x43003
)

// Error codes.
const (
	ErrFailed                           Status = 0x80041001
	ErrNotFound                         Status = 0x80041002
	ErrAccessDenied                     Status = 0x80041003
	ErrProviderFailure                  Status = 0x80041004
	ErrTypeMismatch                     Status = 0x80041005
	ErrOutOfMemory                      Status = 0x80041006
	ErrInvalidContext                   Status = 0x80041007
	ErrInvalidParameter                 Status = 0x80041008
	ErrNotAvailable                     Status = 0x80041009
	ErrCriticalError                    Status = 0x8004100A
	ErrInvalidStream                    Status = 0x8004100B
	ErrNotSupported                     Status = 0x8004100C
	ErrInvalidSuperclass                Status = 0x8004100D
	ErrInvalidNamespace                 Status = 0x8004100E
	ErrInvalidObject                    Status = 0x8004100F
	ErrInvalidClass                     Status = 0x80041010
	ErrProviderNotFound                 Status = 0x80041011
	ErrInvalidProviderRegistration      Status = 0x80041012
	ErrProviderLoadFailure              Status = 0x80041013
	ErrInitializationFailure            Status = 0x80041014
	ErrTransportFailure                 Status = 0x80041015
	ErrInvalidOperation                 Status = 0x80041016
	ErrInvalidQuery                     Status = 0x80041017
	ErrInvalidQueryType                 Status = 0x80041018
	ErrAlreadyExists                    Status = 0x80041019
	ErrOverrideNotAllowed               Status = 0x8004101A
	ErrPropagatedQualifier              Status = 0x8004101B
	ErrPropagatedProperty               Status = 0x8004101C
	ErrUnexpected                       Status = 0x8004101D
	ErrIllegalOperation                 Status = 0x8004101E
	ErrCannotBeKey                      Status = 0x8004101F
	ErrIncompleteClass                  Status = 0x80041020
	ErrInvalidSyntax                    Status = 0x80041021
	ErrNondecoratedObject               Status = 0x80041022
	ErrReadOnly                         Status = 0x80041023
	ErrProviderNotCapable               Status = 0x80041024
	ErrClassHasChildren                 Status = 0x80041025
	ErrClassHasInstances                Status = 0x80041026
	ErrQueryNotImplemented              Status = 0x80041027
	ErrIllegalNull                      Status = 0x80041028
	ErrInvalidQualifierType             Status = 0x80041029
	ErrInvalidPropertyType              Status = 0x8004102A
	ErrValueOutOfRange                  Status = 0x8004102B
	ErrCannotBeSingleton                Status = 0x8004102C
	ErrInvalidCimType                   Status = 0x8004102D
	ErrInvalidMethod                    Status = 0x8004102E
	ErrInvalidMethodParameters          Status = 0x8004102F
	ErrSystemProperty                   Status = 0x80041030
	ErrInvalidProperty                  Status = 0x80041031
	ErrCallCancelled                    Status = 0x80041032
	ErrShuttingDown                     Status = 0x80041033
	ErrPropagatedMethod                 Status = 0x80041034
	ErrUnsupportedParameter             Status = 0x80041035
	ErrMissingParameterID               Status = 0x80041036
	ErrInvalidParameterID               Status = 0x80041037
	ErrNonconsecutiveParameterIds       Status = 0x80041038
	ErrParameterIDOnRetval              Status = 0x80041039
	ErrInvalidObjectPath                Status = 0x8004103A
	ErrOutOfDiskSpace                   Status = 0x8004103B
	ErrBufferTooSmall                   Status = 0x8004103C
	ErrUnsupportedPutExtension          Status = 0x8004103D
	ErrUnknownObjectType                Status = 0x8004103E
	ErrUnknownPacketType                Status = 0x8004103F
	ErrMarshalVersionMismatch           Status = 0x80041040
	ErrMarshalInvalidSignature          Status = 0x80041041
	ErrInvalidQualifier                 Status = 0x80041042
	ErrInvalidDuplicateParameter        Status = 0x80041043
	ErrTooMuchData                      Status = 0x80041044
	ErrServerTooBusy                    Status = 0x80041045
	ErrInvalidFlavor                    Status = 0x80041046
	ErrCircularReference                Status = 0x80041047
	ErrUnsupportedClassUpdate           Status = 0x80041048
	ErrCannotChangeKeyInheritance       Status = 0x80041049
	ErrCannotChangeIndexInheritance     Status = 0x80041050
	ErrTooManyProperties                Status = 0x80041051
	ErrUpdateTypeMismatch               Status = 0x80041052
	ErrUpdateOverrideNotAllowed         Status = 0x80041053
	ErrUpdatePropagatedMethod           Status = 0x80041054
	ErrMethodNotImplemented             Status = 0x80041055
	ErrMethodDisabled                   Status = 0x80041056
	ErrRefresherBusy                    Status = 0x80041057
	ErrUnparsableQuery                  Status = 0x80041058
	ErrNotEventClass                    Status = 0x80041059
	ErrMissingGroupWithin               Status = 0x8004105A
	ErrMissingAggregationList           Status = 0x8004105B
	ErrPropertyNotAnObject              Status = 0x8004105C
	ErrAggregatingByObject              Status = 0x8004105D
	ErrUninterpretableProviderQuery     Status = 0x8004105F
	ErrBackupRestoreWinmgmtRunning      Status = 0x80041060
	ErrQueueOverflow                    Status = 0x80041061
	ErrPrivilegeNotHeld                 Status = 0x80041062
	ErrInvalidOperator                  Status = 0x80041063
	ErrLocalCredentials                 Status = 0x80041064
	ErrCannotBeAbstract                 Status = 0x80041065
	ErrAmendedObject                    Status = 0x80041066
	ErrClientTooSlow                    Status = 0x80041067
	ErrNullSecurityDescriptor           Status = 0x80041068
	ErrTimedOut                         Status = 0x80041069
	ErrInvalidAssociation               Status = 0x8004106A
	ErrAmbiguousOperation               Status = 0x8004106B
	ErrQuotaViolation                   Status = 0x8004106C
	ErrTransactionConflict              Status = 0x8004106D
	ErrForcedRollback                   Status = 0x8004106E
	ErrUnsupportedLocale                Status = 0x8004106F
	ErrHandleOutOfDate                  Status = 0x80041070
	ErrConnectionFailed                 Status = 0x80041071
	ErrInvalidHandleRequest             Status = 0x80041072
	ErrPropertyNameTooWide              Status = 0x80041073
	ErrClassNameTooWide                 Status = 0x80041074
	ErrMethodNameTooWide                Status = 0x80041075
	ErrQualifierNameTooWide             Status = 0x80041076
	ErrRerunCommand                     Status = 0x80041077
	ErrDatabaseVerMismatch              Status = 0x80041078
	ErrVetoDelete                       Status = 0x80041079
	ErrVetoPut                          Status = 0x8004107A
	ErrInvalidLocale                    Status = 0x80041080
	ErrProviderSuspended                Status = 0x80041081
	ErrSynchronizationRequired          Status = 0x80041082
	ErrNoSchema                         Status = 0x80041083
	ErrProviderAlreadyRegistered        Status = 0x80041084
	ErrProviderNotRegistered            Status = 0x80041085
	ErrFatalTransportError              Status = 0x80041086
	ErrEncryptedConnectionRequired      Status = 0x80041087
	ErrProviderTimedOut                 Status = 0x80041088
	ErrNoKey                            Status = 0x80041089
	ErrProviderDisabled                 Status = 0x8004108A
	ErrEssRegistrationTooBroad          Status = 0x80042001
	ErrEssRegistrationTooPrecise        Status = 0x80042002
	ErrEssAuthzNotPrivileged            Status = 0x80042003
	ErrRetryLater                       Status = 0x80043001
	ErrResourceContention               Status = 0x80043002
	ErrMofExpectedQualifierName         Status = 0x80044001
	ErrMofExpectedSemi                  Status = 0x80044002
	ErrMofExpectedOpenBrace             Status = 0x80044003
	ErrMofExpectedCloseBrace            Status = 0x80044004
	ErrMofExpectedCloseBracket          Status = 0x80044005
	ErrMofExpectedCloseParen            Status = 0x80044006
	ErrMofIllegalConstantValue          Status = 0x80044007
	ErrMofExpectedTypeIdentifier        Status = 0x80044008
	ErrMofExpectedOpenParen             Status = 0x80044009
	ErrMofUnrecognizedToken             Status = 0x8004400A
	ErrMofUnrecognizedType              Status = 0x8004400B
	ErrMofExpectedPropertyName          Status = 0x8004400C
	ErrMofTypedefNotSupported           Status = 0x8004400D
	ErrMofUnexpectedAlias               Status = 0x8004400E
	ErrMofUnexpectedArrayInit           Status = 0x8004400F
	ErrMofInvalidAmendmentSyntax        Status = 0x80044010
	ErrMofInvalidDuplicateAmendment     Status = 0x80044011
	ErrMofInvalidPragma                 Status = 0x80044012
	ErrMofInvalidNamespaceSyntax        Status = 0x80044013
	ErrMofExpectedClassName             Status = 0x80044014
	ErrMofTypeMismatch                  Status = 0x80044015
	ErrMofExpectedAliasName             Status = 0x80044016
	ErrMofInvalidClassDeclaration       Status = 0x80044017
	ErrMofInvalidInstanceDeclaration    Status = 0x80044018
	ErrMofExpectedDollar                Status = 0x80044019
	ErrMofCimtypeQualifier              Status = 0x8004401A
	ErrMofDuplicateProperty             Status = 0x8004401B
	ErrMofInvalidNamespaceSpecification Status = 0x8004401C
	ErrMofOutOfRange                    Status = 0x8004401D
	ErrMofInvalidFile                   Status = 0x8004401E
	ErrMofAliasesInEmbedded             Status = 0x8004401F
	ErrMofNullArrayElem                 Status = 0x80044020
	ErrMofDuplicateQualifier            Status = 0x80044021
	ErrMofExpectedFlavorType            Status = 0x80044022
	ErrMofIncompatibleFlavorTypes       Status = 0x80044023
	ErrMofMultipleAliases               Status = 0x80044024
	ErrMofIncompatibleFlavorTypes2      Status = 0x80044025
	ErrMofNoArraysReturned              Status = 0x80044026
	ErrMofMustBeInOrOut                 Status = 0x80044027
	ErrMofInvalidFlagsSyntax            Status = 0x80044028
	ErrMofExpectedBraceOrBadType        Status = 0x80044029
	ErrMofUnsupportedCimv22QualValue    Status = 0x8004402A
	ErrMofUnsupportedCimv22DataType     Status = 0x8004402B
	ErrMofInvalidDeleteinstanceSyntax   Status = 0x8004402C
	ErrMofInvalidQualifierSyntax        Status = 0x8004402D
	ErrMofQualifierUsedOutsideScope     Status = 0x8004402E
	ErrMofErrorCreatingTempFile         Status = 0x8004402F
	ErrMofErrorInvalidIncludeFile       Status = 0x80044030
	ErrMofInvalidDeleteclassSyntax      Status = 0x80044031
)

var statusNames = map[Status]string{
	StatusOK:                            "WBEM_NO_ERROR",
	StatusFalse:                         "WBEM_S_FALSE",
	StatusAlreadyExists:                 "WBEM_S_ALREADY_EXISTS",
	StatusResetToDefault:                "WBEM_S_RESET_TO_DEFAULT",
	StatusDifferent:                     "WBEM_S_DIFFERENT",
	StatusTimedOut:                      "WBEM_S_TIMEDOUT",
	StatusNoMoreData:                    "WBEM_S_NO_MORE_DATA",
	StatusOperationCancelled:            "WBEM_S_OPERATION_CANCELLED",
	StatusPending:                       "WBEM_S_PENDING",
	StatusDuplicateObjects:              "WBEM_S_DUPLICATE_OBJECTS",
	StatusAccessDenied:                  "WBEM_S_ACCESS_DENIED",
	StatusPartialResults:                "WBEM_S_PARTIAL_RESULTS",
	StatusNewStyle:                      "WBEM_S_NEW_STYLE",
	StatusLimitedService:                "WBEM_S_LIMITED_SERVICE",
	StatusIndirectlyUpdated:             "WBEM_S_INDIRECTLY_UPDATED",
	StatusSubjectToSDS:                  "WBEM_S_SUBJECT_TO_SDS",
	ErrFailed:                           "WBEM_E_FAILED",
	ErrNotFound:                         "WBEM_E_NOT_FOUND",
	ErrAccessDenied:                     "WBEM_E_ACCESS_DENIED",
	ErrProviderFailure:                  "WBEM_E_PROVIDER_FAILURE",
	ErrTypeMismatch:                     "WBEM_E_TYPE_MISMATCH",
	ErrOutOfMemory:                      "WBEM_E_OUT_OF_MEMORY",
	ErrInvalidContext:                   "WBEM_E_INVALID_CONTEXT",
	ErrInvalidParameter:                 "WBEM_E_INVALID_PARAMETER",
	ErrNotAvailable:                     "WBEM_E_NOT_AVAILABLE",
	ErrCriticalError:                    "WBEM_E_CRITICAL_ERROR",
	ErrInvalidStream:                    "WBEM_E_INVALID_STREAM",
	ErrNotSupported:                     "WBEM_E_NOT_SUPPORTED",
	ErrInvalidSuperclass:                "WBEM_E_INVALID_SUPERCLASS",
	ErrInvalidNamespace:                 "WBEM_E_INVALID_NAMESPACE",
	ErrInvalidObject:                    "WBEM_E_INVALID_OBJECT",
	ErrInvalidClass:                     "WBEM_E_INVALID_CLASS",
	ErrProviderNotFound:                 "WBEM_E_PROVIDER_NOT_FOUND",
	ErrInvalidProviderRegistration:      "WBEM_E_INVALID_PROVIDER_REGISTRATION",
	ErrProviderLoadFailure:              "WBEM_E_PROVIDER_LOAD_FAILURE",
	ErrInitializationFailure:            "WBEM_E_INITIALIZATION_FAILURE",
	ErrTransportFailure:                 "WBEM_E_TRANSPORT_FAILURE",
	ErrInvalidOperation:                 "WBEM_E_INVALID_OPERATION",
	ErrInvalidQuery:                     "WBEM_E_INVALID_QUERY",
	ErrInvalidQueryType:                 "WBEM_E_INVALID_QUERY_TYPE",
	ErrAlreadyExists:                    "WBEM_E_ALREADY_EXISTS",
	ErrOverrideNotAllowed:               "WBEM_E_OVERRIDE_NOT_ALLOWED",
	ErrPropagatedQualifier:              "WBEM_E_PROPAGATED_QUALIFIER",
	ErrPropagatedProperty:               "WBEM_E_PROPAGATED_PROPERTY",
	ErrUnexpected:                       "WBEM_E_UNEXPECTED",
	ErrIllegalOperation:                 "WBEM_E_ILLEGAL_OPERATION",
	ErrCannotBeKey:                      "WBEM_E_CANNOT_BE_KEY",
	ErrIncompleteClass:                  "WBEM_E_INCOMPLETE_CLASS",
	ErrInvalidSyntax:                    "WBEM_E_INVALID_SYNTAX",
	ErrNondecoratedObject:               "WBEM_E_NONDECORATED_OBJECT",
	ErrReadOnly:                         "WBEM_E_READ_ONLY",
	ErrProviderNotCapable:               "WBEM_E_PROVIDER_NOT_CAPABLE",
	ErrClassHasChildren:                 "WBEM_E_CLASS_HAS_CHILDREN",
	ErrClassHasInstances:                "WBEM_E_CLASS_HAS_INSTANCES",
	ErrQueryNotImplemented:              "WBEM_E_QUERY_NOT_IMPLEMENTED",
	ErrIllegalNull:                      "WBEM_E_ILLEGAL_NULL",
	ErrInvalidQualifierType:             "WBEM_E_INVALID_QUALIFIER_TYPE",
	ErrInvalidPropertyType:              "WBEM_E_INVALID_PROPERTY_TYPE",
	ErrValueOutOfRange:                  "WBEM_E_VALUE_OUT_OF_RANGE",
	ErrCannotBeSingleton:                "WBEM_E_CANNOT_BE_SINGLETON",
	ErrInvalidCimType:                   "WBEM_E_INVALID_CIM_TYPE",
	ErrInvalidMethod:                    "WBEM_E_INVALID_METHOD",
	ErrInvalidMethodParameters:          "WBEM_E_INVALID_METHOD_PARAMETERS",
	ErrSystemProperty:                   "WBEM_E_SYSTEM_PROPERTY",
	ErrInvalidProperty:                  "WBEM_E_INVALID_PROPERTY",
	ErrCallCancelled:                    "WBEM_E_CALL_CANCELLED",
	ErrShuttingDown:                     "WBEM_E_SHUTTING_DOWN",
	ErrPropagatedMethod:                 "WBEM_E_PROPAGATED_METHOD",
	ErrUnsupportedParameter:             "WBEM_E_UNSUPPORTED_PARAMETER",
	ErrMissingParameterID:               "WBEM_E_MISSING_PARAMETER_ID",
	ErrInvalidParameterID:               "WBEM_E_INVALID_PARAMETER_ID",
	ErrNonconsecutiveParameterIds:       "WBEM_E_NONCONSECUTIVE_PARAMETER_IDS",
	ErrParameterIDOnRetval:              "WBEM_E_PARAMETER_ID_ON_RETVAL",
	ErrInvalidObjectPath:                "WBEM_E_INVALID_OBJECT_PATH",
	ErrOutOfDiskSpace:                   "WBEM_E_OUT_OF_DISK_SPACE",
	ErrBufferTooSmall:                   "WBEM_E_BUFFER_TOO_SMALL",
	ErrUnsupportedPutExtension:          "WBEM_E_UNSUPPORTED_PUT_EXTENSION",
	ErrUnknownObjectType:                "WBEM_E_UNKNOWN_OBJECT_TYPE",
	ErrUnknownPacketType:                "WBEM_E_UNKNOWN_PACKET_TYPE",
	ErrMarshalVersionMismatch:           "WBEM_E_MARSHAL_VERSION_MISMATCH",
	ErrMarshalInvalidSignature:          "WBEM_E_MARSHAL_INVALID_SIGNATURE",
	ErrInvalidQualifier:                 "WBEM_E_INVALID_QUALIFIER",
	ErrInvalidDuplicateParameter:        "WBEM_E_INVALID_DUPLICATE_PARAMETER",
	ErrTooMuchData:                      "WBEM_E_TOO_MUCH_DATA",
	ErrServerTooBusy:                    "WBEM_E_SERVER_TOO_BUSY",
	ErrInvalidFlavor:                    "WBEM_E_INVALID_FLAVOR",
	ErrCircularReference:                "WBEM_E_CIRCULAR_REFERENCE",
	ErrUnsupportedClassUpdate:           "WBEM_E_UNSUPPORTED_CLASS_UPDATE",
	ErrCannotChangeKeyInheritance:       "WBEM_E_CANNOT_CHANGE_KEY_INHERITANCE",
	ErrCannotChangeIndexInheritance:     "WBEM_E_CANNOT_CHANGE_INDEX_INHERITANCE",
	ErrTooManyProperties:                "WBEM_E_TOO_MANY_PROPERTIES",
	ErrUpdateTypeMismatch:               "WBEM_E_UPDATE_TYPE_MISMATCH",
	ErrUpdateOverrideNotAllowed:         "WBEM_E_UPDATE_OVERRIDE_NOT_ALLOWED",
	ErrUpdatePropagatedMethod:           "WBEM_E_UPDATE_PROPAGATED_METHOD",
	ErrMethodNotImplemented:             "WBEM_E_METHOD_NOT_IMPLEMENTED",
	ErrMethodDisabled:                   "WBEM_E_METHOD_DISABLED",
	ErrRefresherBusy:                    "WBEM_E_REFRESHER_BUSY",
	ErrUnparsableQuery:                  "WBEM_E_UNPARSABLE_QUERY",
	ErrNotEventClass:                    "WBEM_E_NOT_EVENT_CLASS",
	ErrMissingGroupWithin:               "WBEM_E_MISSING_GROUP_WITHIN",
	ErrMissingAggregationList:           "WBEM_E_MISSING_AGGREGATION_LIST",
	ErrPropertyNotAnObject:              "WBEM_E_PROPERTY_NOT_AN_OBJECT",
	ErrAggregatingByObject:              "WBEM_E_AGGREGATING_BY_OBJECT",
	ErrUninterpretableProviderQuery:     "WBEM_E_UNINTERPRETABLE_PROVIDER_QUERY",
	ErrBackupRestoreWinmgmtRunning:      "WBEM_E_BACKUP_RESTORE_WINMGMT_RUNNING",
	ErrQueueOverflow:                    "WBEM_E_QUEUE_OVERFLOW",
	ErrPrivilegeNotHeld:                 "WBEM_E_PRIVILEGE_NOT_HELD",
	ErrInvalidOperator:                  "WBEM_E_INVALID_OPERATOR",
	ErrLocalCredentials:                 "WBEM_E_LOCAL_CREDENTIALS",
	ErrCannotBeAbstract:                 "WBEM_E_CANNOT_BE_ABSTRACT",
	ErrAmendedObject:                    "WBEM_E_AMENDED_OBJECT",
	ErrClientTooSlow:                    "WBEM_E_CLIENT_TOO_SLOW",
	ErrNullSecurityDescriptor:           "WBEM_E_NULL_SECURITY_DESCRIPTOR",
	ErrTimedOut:                         "WBEM_E_TIMED_OUT",
	ErrInvalidAssociation:               "WBEM_E_INVALID_ASSOCIATION",
	ErrAmbiguousOperation:               "WBEM_E_AMBIGUOUS_OPERATION",
	ErrQuotaViolation:                   "WBEM_E_QUOTA_VIOLATION",
	ErrTransactionConflict:              "WBEM_E_TRANSACTION_CONFLICT",
	ErrForcedRollback:                   "WBEM_E_FORCED_ROLLBACK",
	ErrUnsupportedLocale:                "WBEM_E_UNSUPPORTED_LOCALE",
	ErrHandleOutOfDate:                  "WBEM_E_HANDLE_OUT_OF_DATE",
	ErrConnectionFailed:                 "WBEM_E_CONNECTION_FAILED",
	ErrInvalidHandleRequest:             "WBEM_E_INVALID_HANDLE_REQUEST",
	ErrPropertyNameTooWide:              "WBEM_E_PROPERTY_NAME_TOO_WIDE",
	ErrClassNameTooWide:                 "WBEM_E_CLASS_NAME_TOO_WIDE",
	ErrMethodNameTooWide:                "WBEM_E_METHOD_NAME_TOO_WIDE",
	ErrQualifierNameTooWide:             "WBEM_E_QUALIFIER_NAME_TOO_WIDE",
	ErrRerunCommand:                     "WBEM_E_RERUN_COMMAND",
	ErrDatabaseVerMismatch:              "WBEM_E_DATABASE_VER_MISMATCH",
	ErrVetoDelete:                       "WBEM_E_VETO_DELETE",
	ErrVetoPut:                          "WBEM_E_VETO_PUT",
	ErrInvalidLocale:                    "WBEM_E_INVALID_LOCALE",
	ErrProviderSuspended:                "WBEM_E_PROVIDER_SUSPENDED",
	ErrSynchronizationRequired:          "WBEM_E_SYNCHRONIZATION_REQUIRED",
	ErrNoSchema:                         "WBEM_E_NO_SCHEMA",
	ErrProviderAlreadyRegistered:        "WBEM_E_PROVIDER_ALREADY_REGISTERED",
	ErrProviderNotRegistered:            "WBEM_E_PROVIDER_NOT_REGISTERED",
	ErrFatalTransportError:              "WBEM_E_FATAL_TRANSPORT_ERROR",
	ErrEncryptedConnectionRequired:      "WBEM_E_ENCRYPTED_CONNECTION_REQUIRED",
	ErrProviderTimedOut:                 "WBEM_E_PROVIDER_TIMED_OUT",
	ErrNoKey:                            "WBEM_E_NO_KEY",
	ErrProviderDisabled:                 "WBEM_E_PROVIDER_DISABLED",
	ErrEssRegistrationTooBroad:          "WBEMESS_E_REGISTRATION_TOO_BROAD",
	ErrEssRegistrationTooPrecise:        "WBEMESS_E_REGISTRATION_TOO_PRECISE",
	ErrEssAuthzNotPrivileged:            "WBEMESS_E_AUTHZ_NOT_PRIVILEGED",
	ErrRetryLater:                       "WBEM_E_RETRY_LATER",
	ErrResourceContention:               "WBEM_E_RESOURCE_CONTENTION",
	ErrMofExpectedQualifierName:         "WBEMMOF_E_EXPECTED_QUALIFIER_NAME",
	ErrMofExpectedSemi:                  "WBEMMOF_E_EXPECTED_SEMI",
	ErrMofExpectedOpenBrace:             "WBEMMOF_E_EXPECTED_OPEN_BRACE",
	ErrMofExpectedCloseBrace:            "WBEMMOF_E_EXPECTED_CLOSE_BRACE",
	ErrMofExpectedCloseBracket:          "WBEMMOF_E_EXPECTED_CLOSE_BRACKET",
	ErrMofExpectedCloseParen:            "WBEMMOF_E_EXPECTED_CLOSE_PAREN",
	ErrMofIllegalConstantValue:          "WBEMMOF_E_ILLEGAL_CONSTANT_VALUE",
	ErrMofExpectedTypeIdentifier:        "WBEMMOF_E_EXPECTED_TYPE_IDENTIFIER",
	ErrMofExpectedOpenParen:             "WBEMMOF_E_EXPECTED_OPEN_PAREN",
	ErrMofUnrecognizedToken:             "WBEMMOF_E_UNRECOGNIZED_TOKEN",
	ErrMofUnrecognizedType:              "WBEMMOF_E_UNRECOGNIZED_TYPE",
	ErrMofExpectedPropertyName:          "WBEMMOF_E_EXPECTED_PROPERTY_NAME",
	ErrMofTypedefNotSupported:           "WBEMMOF_E_TYPEDEF_NOT_SUPPORTED",
	ErrMofUnexpectedAlias:               "WBEMMOF_E_UNEXPECTED_ALIAS",
	ErrMofUnexpectedArrayInit:           "WBEMMOF_E_UNEXPECTED_ARRAY_INIT",
	ErrMofInvalidAmendmentSyntax:        "WBEMMOF_E_INVALID_AMENDMENT_SYNTAX",
	ErrMofInvalidDuplicateAmendment:     "WBEMMOF_E_INVALID_DUPLICATE_AMENDMENT",
	ErrMofInvalidPragma:                 "WBEMMOF_E_INVALID_PRAGMA",
	ErrMofInvalidNamespaceSyntax:        "WBEMMOF_E_INVALID_NAMESPACE_SYNTAX",
	ErrMofExpectedClassName:             "WBEMMOF_E_EXPECTED_CLASS_NAME",
	ErrMofTypeMismatch:                  "WBEMMOF_E_TYPE_MISMATCH",
	ErrMofExpectedAliasName:             "WBEMMOF_E_EXPECTED_ALIAS_NAME",
	ErrMofInvalidClassDeclaration:       "WBEMMOF_E_INVALID_CLASS_DECLARATION",
	ErrMofInvalidInstanceDeclaration:    "WBEMMOF_E_INVALID_INSTANCE_DECLARATION",
	ErrMofExpectedDollar:                "WBEMMOF_E_EXPECTED_DOLLAR",
	ErrMofCimtypeQualifier:              "WBEMMOF_E_CIMTYPE_QUALIFIER",
	ErrMofDuplicateProperty:             "WBEMMOF_E_DUPLICATE_PROPERTY",
	ErrMofInvalidNamespaceSpecification: "WBEMMOF_E_INVALID_NAMESPACE_SPECIFICATION",
	ErrMofOutOfRange:                    "WBEMMOF_E_OUT_OF_RANGE",
	ErrMofInvalidFile:                   "WBEMMOF_E_INVALID_FILE",
	ErrMofAliasesInEmbedded:             "WBEMMOF_E_ALIASES_IN_EMBEDDED",
	ErrMofNullArrayElem:                 "WBEMMOF_E_NULL_ARRAY_ELEM",
	ErrMofDuplicateQualifier:            "WBEMMOF_E_DUPLICATE_QUALIFIER",
	ErrMofExpectedFlavorType:            "WBEMMOF_E_EXPECTED_FLAVOR_TYPE",
	ErrMofIncompatibleFlavorTypes:       "WBEMMOF_E_INCOMPATIBLE_FLAVOR_TYPES",
	ErrMofMultipleAliases:               "WBEMMOF_E_MULTIPLE_ALIASES",
	ErrMofIncompatibleFlavorTypes2:      "WBEMMOF_E_INCOMPATIBLE_FLAVOR_TYPES2",
	ErrMofNoArraysReturned:              "WBEMMOF_E_NO_ARRAYS_RETURNED",
	ErrMofMustBeInOrOut:                 "WBEMMOF_E_MUST_BE_IN_OR_OUT",
	ErrMofInvalidFlagsSyntax:            "WBEMMOF_E_INVALID_FLAGS_SYNTAX",
	ErrMofExpectedBraceOrBadType:        "WBEMMOF_E_EXPECTED_BRACE_OR_BAD_TYPE",
	ErrMofUnsupportedCimv22QualValue:    "WBEMMOF_E_UNSUPPORTED_CIMV22_QUAL_VALUE",
	ErrMofUnsupportedCimv22DataType:     "WBEMMOF_E_UNSUPPORTED_CIMV22_DATA_TYPE",
	ErrMofInvalidDeleteinstanceSyntax:   "WBEMMOF_E_INVALID_DELETEINSTANCE_SYNTAX",
	ErrMofInvalidQualifierSyntax:        "WBEMMOF_E_INVALID_QUALIFIER_SYNTAX",
	ErrMofQualifierUsedOutsideScope:     "WBEMMOF_E_QUALIFIER_USED_OUTSIDE_SCOPE",
	ErrMofErrorCreatingTempFile:         "WBEMMOF_E_ERROR_CREATING_TEMP_FILE",
	ErrMofErrorInvalidIncludeFile:       "WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE",
	ErrMofInvalidDeleteclassSyntax:      "WBEMMOF_E_INVALID_DELETECLASS_SYNTAX",
}
