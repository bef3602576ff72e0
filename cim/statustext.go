package cim

// Text says in a sentence what an error status means, "" for the less common
// ones. It goes to peers that are owed an explanation, and into messages that
// have no better one.
func (s Status) Text() string { return statusTexts[s] }

var statusTexts = map[Status]string{
	ErrAccessDenied:            "Access is denied.",
	ErrAlreadyExists:           "An object with these keys exists already.",
	ErrInvalidClass:            "The namespace has no such class.",
	ErrInvalidMethod:           "The class has no such method.",
	ErrInvalidMethodParameters: "The parameters do not fit the method.",
	ErrInvalidNamespace:        "The host has no such namespace.",
	ErrInvalidObjectPath:       "The object path is not valid.",
	ErrInvalidProperty:         "The class has no such property.",
	ErrInvalidQuery:            "The query is not valid.",
	ErrInvalidQueryType:        "The query language is not known; WQL is.",
	ErrMethodDisabled:          "The method is disabled.",
	ErrMethodNotImplemented:    "The method is not implemented on this host.",
	ErrNotFound:                "The object does not exist.",
	ErrNotSupported:            "The operation is not supported.",
	ErrProviderFailure:         "The provider of the class failed; the log of the host says why.",
	ErrProviderNotCapable:      "The provider of the class cannot do that.",
	ErrQuotaViolation:          "The operation needs more than a quota permits.",
	ErrReadOnly:                "The property cannot be written.",
	ErrShuttingDown:            "The host is shutting down.",
	ErrTimedOut:                "The operation took longer than it may.",
	ErrTooMuchData:             "There is more data than the operation may return.",
	ErrTransportFailure:        "The host cannot be reached.",
	ErrTypeMismatch:            "A value is not of the type that is wanted.",
	ErrValueOutOfRange:         "A value is out of range.",
}
