package wsman

// The codes that this module raises or looks for. All 512 have a name and a
// text; see Code.
const (
	CodeAccessDenied          Code = 5    // Win32 ERROR_ACCESS_DENIED
	CodeNotSupported          Code = 50   // Win32 ERROR_NOT_SUPPORTED
	CodeWin32InvalidParameter Code = 87   // Win32 ERROR_INVALID_PARAMETER
	CodeOperationAborted      Code = 995  // Win32 ERROR_OPERATION_ABORTED
	CodeCancelled             Code = 1223 // Win32 ERROR_CANCELLED

	CodeResourceNotFound                 Code = 0x80338000
	CodeInvalidActionURI                 Code = 0x80338001
	CodeInvalidURI                       Code = 0x80338002
	CodeProviderFailure                  Code = 0x80338003
	CodeConfigCorrupted                  Code = 0x80338005
	CodePullInProgress                   Code = 0x80338006
	CodeEnumerationClosed                Code = 0x80338007
	CodeUnsupportedTimeout               Code = 0x8033800C
	CodeVersionMismatch                  Code = 0x8033800D
	CodeInvalidMessageInformationHeader  Code = 0x8033800F
	CodeMustUnderstand                   Code = 0x80338010
	CodeMessageInformationHeaderRequired Code = 0x80338011
	CodeDestinationUnreachable           Code = 0x80338012
	CodeActionNotSupported               Code = 0x80338013
	CodeEndpointUnavailable              Code = 0x80338014
	CodeInvalidRepresentation            Code = 0x80338015
	CodeInvalidExpirationTime            Code = 0x80338016
	CodeFilteringNotSupported            Code = 0x80338018
	CodeFilterDialectUnavailable         Code = 0x80338019
	CodeEnumerateCannotProcessFilter     Code = 0x8033801A
	CodeInvalidEnumerationContext        Code = 0x8033801B
	CodeEnumerateTimedOut                Code = 0x8033801C
	CodeEnumerateUnableToRenew           Code = 0x8033801D
	CodeDeliveryModeUnavailable          Code = 0x8033801E
	CodeEventingInvalidExpiration        Code = 0x8033801F
	CodeEventingFilteringUnavailable     Code = 0x80338022
	CodeUnableToRenew                    Code = 0x80338024
	CodeEventingInvalidMessage           Code = 0x80338025
	CodeSubscribeWMIInvalidKey           Code = 0x803381D9
	CodeDeliveryModeInvalid              Code = 0x803380A8
	CodeOperationTimedOut                Code = 0x80338029
	CodeUnsupportedEncoding              Code = 0x8033802C
	CodeURILimit                         Code = 0x8033802D
	CodeActionMismatch                   Code = 0x80338031
	CodeConcurrency                      Code = 0x80338032
	CodeAlreadyExists                    Code = 0x80338033
	CodeEncodingLimit                    Code = 0x80338035
	CodeInvalidBookmark                  Code = 0x80338038
	CodeInvalidOptions                   Code = 0x80338039
	CodeInvalidParameter                 Code = 0x8033803A
	CodeInvalidResourceURI               Code = 0x8033803B
	CodeInvalidSelectors                 Code = 0x8033803D
	CodeQuotaLimit                       Code = 0x8033803F
	CodeSchemaValidationError            Code = 0x80338041
	CodeUnsupportedFeature               Code = 0x80338042
	CodeInvalidXML                       Code = 0x80338043
	CodeMaxEnvelopeSize                  Code = 0x80338047
	CodeMaxEnvelopeSizeExceeded          Code = 0x80338048
	CodeServerEnvelopeLimit              Code = 0x80338049
	CodeSelectorLimit                    Code = 0x8033804A
	CodeOptionLimit                      Code = 0x8033804B
	CodeCharacterSet                     Code = 0x8033804C
	CodeUnreportableSuccess              Code = 0x8033804D
	CodeOptionsNotSupported              Code = 0x80338051
	CodeOptionsInvalidName               Code = 0x80338052
	CodeOptionsInvalidValue              Code = 0x80338053
	CodeInvalidXMLValues                 Code = 0x80338056
	CodeInvalidXMLMissingValues          Code = 0x80338057
	CodeInvalidXMLNamespace              Code = 0x80338058
	CodeInsufficientSelectors            Code = 0x8033805A
	CodeUnexpectedSelectors              Code = 0x8033805B
	CodeSelectorTypeMismatch             Code = 0x8033805C
	CodeInvalidSelectorValue             Code = 0x8033805D
	CodeAmbiguousSelectors               Code = 0x8033805E
	CodeDuplicateSelectors               Code = 0x8033805F
	CodeUnsupportedAddressingMode        Code = 0x80338076
	CodeFragmentTransferNotSupported     Code = 0x80338077
	CodeURIQuerySyntax                   Code = 0x8033807A
	CodeMinEnvelopeSize                  Code = 0x8033807E
	CodeInvalidTimeoutHeader             Code = 0x80338081
	CodeCertNotFound                     Code = 0x80338082
	CodeEnumerationModeUnsupported       Code = 0x80338086
	CodeMustUnderstandLocale             Code = 0x80338087
	CodeListenerAddressInvalid           Code = 0x80338089
	CodeGPOControlled                    Code = 0x8033808A
	CodeFragmentDialectUnavailable       Code = 0x80338090
	CodeMissingFragmentPath              Code = 0x80338091
	CodeInvalidFragmentDialect           Code = 0x80338092
	CodeInvalidFragmentPath              Code = 0x80338093
	CodeUnencryptedDisabled              Code = 0x803380DE
	CodeBasicDisabled                    Code = 0x803380DF
	CodeNegotiateDisabled                Code = 0x803380E1
	CodeKerberosDisabled                 Code = 0x803380E2
	CodeServerNotTrusted                 Code = 0x803380E4
	CodeExplicitCredentialsRequired      Code = 0x803380E5
	CodeThumbprintNotBlank               Code = 0x803380E6
	CodeThumbprintBlank                  Code = 0x803380E7
	CodeWMISingleton                     Code = 0x803380FA
	CodeWMIEnumWQL                       Code = 0x803380FB
	CodeNoLocalIdentify                  Code = 0x803380FC
	CodeWMIMaxNested                     Code = 0x80338100
	CodeRemoteCIMPath                    Code = 0x80338101
	CodeWMIServiceAccessDenied           Code = 0x80338104
	CodeWMIProviderAccessDenied          Code = 0x80338105
	CodeWMIConnectAccessDenied           Code = 0x80338106
	CodeEnumerateWMIInvalidKey           Code = 0x80338108
	CodeInvalidFragmentPathBlank         Code = 0x80338109
	CodeKerberosIPAddress                Code = 0x8033810B
	CodeWorkgroupNoKerberos              Code = 0x8033810C
	CodeHTTPRequestTooLarge              Code = 0x80338111
	CodeHTTPServiceUnavailable           Code = 0x80338112
	CodeHTTPNotFound                     Code = 0x80338113
	CodeQuickConfigCertRequired          Code = 0x80338115
	CodeCannotProcessFilter              Code = 0x80338122
	CodeNetworkTimedOut                  Code = 0x80338126
	CodePolymorphismModeUnsupported      Code = 0x80338137
	CodeURINonDMTFClass                  Code = 0x80338139
	CodeURIWrongDMTFVersion              Code = 0x8033813A
	CodeDifferentCIMSelector             Code = 0x8033813B
	CodeConfigReadOnly                   Code = 0x8033813F
	CodeUserNameAndPasswordNeeded        Code = 0x80338147
	CodeNoLocalCertMapping               Code = 0x80338152
	CodeCertMappingCredentials           Code = 0x80338154
	CodeInvalidConnectionRetry           Code = 0x8033815F
	CodeURISecurityInvalidKey            Code = 0x80338160
	CodeCertMappingSubject               Code = 0x80338161
	CodeCertMappingPasswordTooLong       Code = 0x8033816A
	CodeCertMappingPasswordBlank         Code = 0x8033816B
	CodeInvalidInputStream               Code = 0x8033818B
	CodeInvalidDesiredStreams            Code = 0x8033818D
	CodeQuotaMaxShells                   Code = 0x803381A5
	CodeQuotaMaxOperations               Code = 0x803381A6
	CodeQuotaUser                        Code = 0x803381A7
	CodeQuotaSystem                      Code = 0x803381A8
	CodeQuotaMaxShellUsers               Code = 0x803381AB
	CodeRemoteShellsNotAllowed           Code = 0x803381AC
	CodePullParameters                   Code = 0x803381AD
	CodeDeprecatedSetting                Code = 0x803381AE
	CodeShellNameInvalid                 Code = 0x803381C2
	CodeShellDisconnected                Code = 0x803381C4
	CodeDisconnectNotSupported           Code = 0x803381C5
	CodeCommandTerminated                Code = 0x803381CC
	CodeRemoteAccessDisabled             Code = 0x803381DD
	CodeStreamDisconnected               Code = 0x803381DE
	CodeIdleTimeoutOutOfBounds           Code = 0x803381F2
	CodeIdentifyNotSupported             Code = 0x803381F9
)

var codeTexts = map[Code]string{
	2:                                    "The file was not found.",
	CodeAccessDenied:                     "Access is denied.",
	8:                                    "There is not enough memory.",
	CodeNotSupported:                     "The request is not supported.",
	CodeWin32InvalidParameter:            "The parameter is incorrect.",
	CodeOperationAborted:                 "The operation was aborted: its thread or application ended.",
	CodeCancelled:                        "The operation was cancelled.",
	1326:                                 "The user name or password is not correct.",
	1460:                                 "The operation took longer than its timeout.",
	CodeResourceNotFound:                 "The service found no resource for this resource URI and these selectors. Check the class, the namespace and the key values.",
	CodeInvalidActionURI:                 "The action URI is not valid for this resource.",
	CodeInvalidURI:                       "The resource URI is malformed or not known to the service.",
	CodeProviderFailure:                  "The provider of the resource failed while it worked on the request.",
	CodeConfigCorrupted:                  "The WinRM configuration is damaged. Restore the defaults: winrm invoke Restore winrm/config @{}",
	CodePullInProgress:                   "Another Pull for this enumeration has not finished.",
	CodeEnumerationClosed:                "The enumeration was released or has ended.",
	CodeUnsupportedTimeout:               "The timeout is too short or not supported.",
	CodeVersionMismatch:                  "The message is not SOAP 1.2.",
	CodeInvalidMessageInformationHeader:  "A SOAP header of the request is not valid.",
	CodeMustUnderstand:                   "The request has a header that must be understood and is not known to the service.",
	CodeMessageInformationHeaderRequired: "The request lacks a SOAP header that is required.",
	CodeDestinationUnreachable:           "The client cannot reach the destination. Check that the WinRM service runs there and has a listener; winrm quickconfig on that machine sets both up.",
	CodeActionNotSupported:               "The resource does not support this action.",
	CodeEndpointUnavailable:              "The service cannot take the request now. Try again later.",
	CodeInvalidRepresentation:            "The XML of the resource is not valid.",
	CodeInvalidExpirationTime:            "The expiration time of the enumeration is not valid.",
	CodeFilteringNotSupported:            "This resource cannot be filtered.",
	CodeFilterDialectUnavailable:         "The filter dialect is not supported for this resource.",
	CodeEnumerateCannotProcessFilter:     "The filter is not valid or too complex.",
	CodeInvalidEnumerationContext:        "The enumeration context is not valid: the enumeration ended, was released or stood idle for too long.",
	CodeEnumerateTimedOut:                "The enumeration gave nothing within MaxTime. Pull again.",
	CodeEnumerateUnableToRenew:           "Enumerations cannot be renewed.",
	CodeDeliveryModeUnavailable:          "The delivery mode of the subscription is not supported.",
	CodeDeliveryModeInvalid:              "The subscription names no delivery mode that is known.",
	CodeEventingInvalidMessage:           "The message does not belong to a subscription that is open.",
	CodeSubscribeWMIInvalidKey:           "A subscription to the events of a namespace has no selectors.",
	CodeEventingInvalidExpiration:        "The time at which the subscription is to end is not valid.",
	CodeEventingFilteringUnavailable:     "The filter of the subscription is not supported.",
	CodeUnableToRenew:                    "The subscription cannot be renewed.",
	CodeOperationTimedOut:                "The service could not complete the operation within OperationTimeout. For a Receive this means that there was no output: ask again.",
	CodeUnsupportedEncoding:              "The encoding of the message is not supported.",
	CodeURILimit:                         "The resource URI is too long.",
	CodeActionMismatch:                   "The action of the header and that of the HTTP request differ.",
	CodeConcurrency:                      "Another operation changed the resource at the same time.",
	CodeAlreadyExists:                    "The resource exists already.",
	CodeEncodingLimit:                    "The message exceeds a limit of its encoding.",
	CodeInvalidBookmark:                  "The bookmark is not valid.",
	CodeInvalidOptions:                   "An option of the request is not valid for this resource.",
	CodeInvalidParameter:                 "A parameter of the request is not valid.",
	CodeInvalidResourceURI:               "The resource URI is missing, malformed or not known. Aliases such as wmicimv2 are not permitted in a message.",
	CodeInvalidSelectors:                 "The selectors are not valid for this resource.",
	CodeQuotaLimit:                       "The service is busy: a quota is used up. Try again later.",
	CodeSchemaValidationError:            "The XML does not have the form that this message or resource requires.",
	CodeUnsupportedFeature:               "The request uses a feature that the service does not support.",
	CodeInvalidXML:                       "The message is not well-formed XML as SOAP permits it.",
	CodeMaxEnvelopeSize:                  "The answer is larger than MaxEnvelopeSize.",
	CodeMaxEnvelopeSizeExceeded:          "The answer would exceed the MaxEnvelopeSize of the request. Ask for fewer elements or a larger envelope.",
	CodeServerEnvelopeLimit:              "The answer would exceed the envelope size that the service permits (MaxEnvelopeSizekb).",
	CodeSelectorLimit:                    "The request has too many selectors.",
	CodeOptionLimit:                      "The request has too many options.",
	CodeCharacterSet:                     "The message is encoded in neither UTF-8 nor UTF-16.",
	CodeUnreportableSuccess:              "The operation succeeded, but its answer is too large to be sent.",
	CodeOptionsNotSupported:              "This resource has no options.",
	CodeOptionsInvalidName:               "The resource has no option of this name.",
	CodeOptionsInvalidValue:              "The value of an option is not valid.",
	CodeInvalidXMLValues:                 "A value in the XML of the resource is not valid.",
	CodeInvalidXMLMissingValues:          "The XML of the resource lacks a value that is required.",
	CodeInvalidXMLNamespace:              "The XML of the resource has the wrong namespace.",
	CodeInsufficientSelectors:            "The request lacks a selector that the resource requires.",
	CodeUnexpectedSelectors:              "The request has a selector that the resource does not have, or the shell or command it names no longer exists.",
	CodeSelectorTypeMismatch:             "The value of a selector has the wrong type.",
	CodeInvalidSelectorValue:             "The value of a selector is not valid.",
	CodeAmbiguousSelectors:               "The selectors match more than one resource.",
	CodeDuplicateSelectors:               "The request has the same selector twice.",
	CodeUnsupportedAddressingMode:        "ReplyTo and FaultTo must be the anonymous address.",
	CodeFragmentTransferNotSupported:     "This resource does not support access to fragments.",
	CodeURIQuerySyntax:                   "The selectors behind the question mark of the resource URI are malformed. The form is URI?Key1=Value1+Key2=Value2",
	CodeMinEnvelopeSize:                  "MaxEnvelopeSize is below the smallest size that is permitted, 8192.",
	CodeInvalidTimeoutHeader:             "OperationTimeout is not a valid duration.",
	CodeCertNotFound:                     "There is no certificate with this thumbprint.",
	CodeEnumerationModeUnsupported:       "The resource does not support this enumeration mode.",
	CodeMustUnderstandLocale:             "Locale headers with mustUnderstand are not supported.",
	CodeListenerAddressInvalid:           "The address of the listener is not valid. It is *, IP:address or MAC:address.",
	CodeGPOControlled:                    "Group Policy controls this setting; it cannot be changed here.",
	CodeFragmentDialectUnavailable:       "The dialect of the fragment is not supported.",
	CodeMissingFragmentPath:              "A fragment dialect is given without a path.",
	CodeInvalidFragmentDialect:           "The dialect of the fragment is not valid.",
	CodeInvalidFragmentPath:              "The path of the fragment is not valid. Names depend on case, and the path is relative.",
	CodeUnencryptedDisabled:              "The client does not permit unencrypted traffic (winrm/config/client AllowUnencrypted).",
	CodeBasicDisabled:                    "The client does not permit Basic authentication (winrm/config/client/auth).",
	CodeNegotiateDisabled:                "The client does not permit Negotiate authentication (winrm/config/client/auth).",
	CodeKerberosDisabled:                 "The client does not permit Kerberos authentication (winrm/config/client/auth).",
	CodeServerNotTrusted:                 "The authentication needs a trusted server: use Kerberos or HTTPS, or add the host to TrustedHosts.",
	CodeExplicitCredentialsRequired:      "Default credentials over HTTP are not sent to this host: give a user name and password, use HTTPS, or add the host to TrustedHosts.",
	CodeThumbprintNotBlank:               "An HTTP listener has no certificate thumbprint.",
	CodeThumbprintBlank:                  "An HTTPS listener needs the thumbprint of a certificate.",
	CodeWMISingleton:                     "The class is not a singleton: the request must give all keys of the instance as selectors.",
	CodeWMIEnumWQL:                       "A WQL query needs a resource URI that ends in /* and has no selectors.",
	CodeNoLocalIdentify:                  "Identify works only on remote sessions.",
	CodeWMIMaxNested:                     "Embedded objects are nested too deeply.",
	CodeRemoteCIMPath:                    "An object path may not name another machine.",
	CodeWMIServiceAccessDenied:           "WMI denied access.",
	CodeWMIProviderAccessDenied:          "The WMI provider denied access.",
	CodeWMIConnectAccessDenied:           "WMI denied access to the namespace.",
	CodeEnumerateWMIInvalidKey:           "The enumeration of a class takes no key selectors.",
	CodeInvalidFragmentPathBlank:         "The path of the fragment is empty.",
	CodeKerberosIPAddress:                "Kerberos needs the name of the host, not its address.",
	CodeWorkgroupNoKerberos:              "This machine is not in a domain, so Kerberos cannot be used.",
	CodeHTTPRequestTooLarge:              "The service refused the request because it is larger than its MaxEnvelopeSizekb (HTTP status 413).",
	CodeHTTPServiceUnavailable:           "The service is not available (HTTP status 503).",
	CodeHTTPNotFound:                     "There is no WS-Management service at this URL (HTTP status 404). Check port and URL prefix.",
	CodeQuickConfigCertRequired:          "An HTTPS listener cannot be created: there is no certificate for server authentication whose name matches the host, that has not expired and that is not self-signed.",
	CodeCannotProcessFilter:              "The filter or fragment expression is not valid or not supported.",
	CodeNetworkTimedOut:                  "The machine did not answer in time. Check its name, the network and the firewall.",
	CodePolymorphismModeUnsupported:      "This polymorphism mode is not supported together with a filter.",
	CodeURINonDMTFClass:                  "A DMTF resource URI must name a DMTF class.",
	CodeURIWrongDMTFVersion:              "The resource URI names another major version than the class has.",
	CodeDifferentCIMSelector:             "The __cimnamespace selector names another namespace than the resource URI.",
	CodeConfigReadOnly:                   "This setting is read-only.",
	CodeUserNameAndPasswordNeeded:        "User name and password must be given together.",
	CodeNoLocalCertMapping:               "Certificate mappings can only be changed through a remote session; use -remote:localhost.",
	CodeCertMappingCredentials:           "The user name or password of the certificate mapping is not valid.",
	CodeInvalidConnectionRetry:           "ConnectionRetry needs both an interval and a total, or neither.",
	CodeURISecurityInvalidKey:            "The URI of the mapping or security entry is not valid.",
	CodeCertMappingSubject:               "The subject of the certificate mapping is not valid; a wildcard may stand only at its start.",
	CodeCertMappingPasswordTooLong:       "The password of a certificate mapping has at most 255 characters.",
	CodeCertMappingPasswordBlank:         "The password of a certificate mapping may not be empty.",
	CodeInvalidInputStream:               "The shell has no input stream of this name.",
	CodeInvalidDesiredStreams:            "The shell has no output stream of this name.",
	CodeQuotaMaxShells:                   "The service cannot open another shell: this user has as many as MaxShellsPerUser permits. Close one, or raise the quota.",
	CodeQuotaMaxOperations:               "This user has as many operations in progress as MaxConcurrentOperationsPerUser permits. Close one, or raise the quota.",
	CodeQuotaUser:                        "The load of this user is over its quota. Try again later.",
	CodeQuotaSystem:                      "The load of the service is over its quota. Try again later.",
	CodeQuotaMaxShellUsers:               "As many users as MaxConcurrentUsers permits have shells open. Try again later.",
	CodeRemoteShellsNotAllowed:           "The service does not permit remote shells (winrm/config/winrs AllowRemoteShellAccess).",
	CodePullParameters:                   "The parameters of Pull differ from those of Enumerate.",
	CodeDeprecatedSetting:                "This setting is deprecated and can no longer be written.",
	CodeShellNameInvalid:                 "The name of a shell has at most 255 characters.",
	CodeShellDisconnected:                "The shell is disconnected. Reconnect to it first.",
	CodeDisconnectNotSupported:           "This kind of shell cannot be disconnected.",
	CodeCommandTerminated:                "The command was terminated.",
	CodeRemoteAccessDisabled:             "Remote access to this service is switched off, by Group Policy or on that machine.",
	CodeStreamDisconnected:               "The output stream was disconnected.",
	CodeIdleTimeoutOutOfBounds:           "The idle timeout is below 60 seconds or above the maximum that the service permits (MaxIdleTimeoutms).",
	CodeIdentifyNotSupported:             "The server does not support Identify.",
}
