package cim

import (
	"context"
	"time"

	"github.com/casementhq/casement/security"
)

// Session is a connection to one namespace as one caller. The object manager,
// the WinRM client and the DCOM client implement it; a program that holds one
// cannot tell which.
//
// Every method may fail with ErrAccessDenied, ErrShuttingDown,
// ErrTransportFailure or the context's error, beside the statuses that it
// names. Errors are *Error.
type Session interface {
	// Namespace is the namespace that the session is bound to: "root\cimv2".
	Namespace() string
	// With is the same session for another caller. It shares everything else
	// and needs no Close of its own. A client, whose caller is fixed by its
	// connection, returns itself.
	With(Caller) Session

	// Get reads an instance: ErrNotFound, ErrInvalidClass, ErrInvalidObjectPath.
	Get(ctx context.Context, path ObjectPath, o GetOptions) (*Instance, error)
	// GetClass reads a class definition: ErrNotFound; ErrNotSupported where the
	// path to the host carries no definitions.
	GetClass(ctx context.Context, name string, o GetOptions) (*Class, error)
	// Enumerate lists the instances of a class: ErrInvalidClass.
	Enumerate(ctx context.Context, class string, o EnumerateOptions) (Enumerator, error)
	// EnumerateClasses lists the subclasses of a class, or of none for "".
	EnumerateClasses(ctx context.Context, superclass string, deep bool) ([]*Class, error)
	// Query runs a WQL data or schema query: ErrInvalidQuery,
	// ErrInvalidQueryType, ErrInvalidClass. The results of a schema query
	// (meta_class, ClassDefsOnly, SchemaOnly) are class objects, as [ClassObject]
	// makes them.
	Query(ctx context.Context, query string, o QueryOptions) (Enumerator, error)
	// Associators lists the objects that are associated with an instance.
	Associators(ctx context.Context, source ObjectPath, o AssociatorOptions) (Enumerator, error)
	// References lists the associations that refer to an instance.
	References(ctx context.Context, source ObjectPath, o AssociatorOptions) (Enumerator, error)
	// Invoke runs a method of an instance, or a static one of a class:
	// ErrInvalidMethod, ErrInvalidMethodParameters, ErrMethodNotImplemented,
	// ErrNotFound.
	Invoke(ctx context.Context, path ObjectPath, method string, in Arguments, o OperationOptions) (Result, error)
	// Create makes a new instance and returns its path: ErrAlreadyExists.
	Create(ctx context.Context, instance *Instance, o OperationOptions) (ObjectPath, error)
	// Put changes an existing instance: ErrNotFound, ErrReadOnly,
	// ErrProviderNotCapable.
	Put(ctx context.Context, instance *Instance, o PutOptions) error
	// Delete removes an instance: ErrNotFound, ErrProviderNotCapable.
	Delete(ctx context.Context, path ObjectPath, o OperationOptions) error
	// Close ends the session and every enumeration that it began.
	Close() error
}

// Opener opens sessions. A server adapter is given one and cannot tell what
// stands behind it. ErrInvalidNamespace, ErrAccessDenied.
type Opener interface {
	Open(ctx context.Context, caller Caller, namespace string, o OpenOptions) (Session, error)
}

// OpenOptions are the options of Open; the zero value is the default.
type OpenOptions struct {
	Locales []string   // preferred locales, "ms_409"; none means the host's
	Context NamedArray // named values for providers (IWbemContext)
}

// Enumerator is a stream of instances.
type Enumerator interface {
	// Next returns up to max instances (max < 1: as many as are at hand, at
	// least one) and waits only until there is one. The instances are valid
	// until the next call. The end is io.EOF, or an *Error with the final
	// status where the results are partial (StatusPartialResults,
	// StatusAccessDenied) or the operation failed; instances that came before
	// the end are returned first. When ctx ends, nothing is lost and the next
	// call goes on.
	Next(ctx context.Context, max int) ([]*Instance, error)
	// Close gives up what is left; it may be called at any time and twice.
	Close() error
}

// Filtered is an Enumerator that leaves out what its caller may not see, silently.
type Filtered interface {
	// LeftOut tells, at the end, whether there was something. The status of a whole
	// operation that has one for success is StatusAccessDenied then.
	LeftOut() bool
}

// Caller is who makes a call and how it came in: facts of the call, not of the
// transport. The zero Caller is nobody.
type Caller struct {
	Token         *security.Token
	Remote        bool
	Protection    Protection
	Impersonation Impersonation
	Privileges    []string
	Address       string // host:port of the peer, "" for a local caller
}

// Protection is how well the call was protected on its way; the numbers are
// RPC_C_AUTHN_LEVEL_*. See [MS-RPCE] 2.2.1.1.8.
type Protection uint8

// The protection levels.
const (
	ProtectionDefault      Protection = 0
	ProtectionNone         Protection = 1
	ProtectionConnect      Protection = 2
	ProtectionCall         Protection = 3
	ProtectionPkt          Protection = 4
	ProtectionPktIntegrity Protection = 5
	ProtectionPktPrivacy   Protection = 6
)

// Impersonation is what the service may do as the caller; the numbers are
// RPC_C_IMP_LEVEL_*.
type Impersonation uint8

// The impersonation levels.
const (
	ImpersonationDefault     Impersonation = 0
	ImpersonationAnonymous   Impersonation = 1
	ImpersonationIdentify    Impersonation = 2
	ImpersonationImpersonate Impersonation = 3
	ImpersonationDelegate    Impersonation = 4
)

// NamedValue is a value with a name.
type NamedValue struct {
	Name  string
	Value Value
}

// NamedArray is a list of named values, found case-blind.
type NamedArray []NamedValue

// Get finds a value by name; an untyped NULL where there is none.
func (a NamedArray) Get(name string) Value {
	for i := range a {
		if EqualFold(a[i].Name, name) {
			return a[i].Value
		}
	}
	return Value{}
}

// Has tells whether a value of that name is there, NULL or not.
func (a NamedArray) Has(name string) bool {
	for i := range a {
		if EqualFold(a[i].Name, name) {
			return true
		}
	}
	return false
}

// Arguments are the in parameters of a method.
type Arguments = NamedArray

// Result is what a method gave back.
type Result struct {
	ReturnValue Value // NULL for a method without one
	Out         NamedArray
}

// OperationOptions go with every operation.
type OperationOptions struct {
	Timeout time.Duration // how long the host may work; 0: the host's own limit
	Context NamedArray    // named values for the provider
}

// GetOptions are the options of Get and GetClass.
type GetOptions struct {
	OperationOptions
	Properties []string // only these; nil: all
	Amended    bool     // with localized qualifiers
}

// Polymorphism says how instances of subclasses come.
type Polymorphism uint8

// The polymorphism modes.
const (
	Deep              Polymorphism = iota // subclasses included, as they are
	Shallow                               // only the named class
	DeepBasePropsOnly                     // subclasses included, with the base class's properties
)

// EnumerateOptions are the options of Enumerate.
type EnumerateOptions struct {
	OperationOptions
	Properties   []string
	Polymorphism Polymorphism
	KeysOnly     bool // paths are enough
	Batch        int  // instances per message where messages exist; 0: the default, 20
}

// QueryOptions are the options of Query.
type QueryOptions struct {
	OperationOptions
	Language  string // "" is "WQL"; any other fails with ErrInvalidQueryType
	KeysOnly  bool
	Prototype bool // give the class that the results would have, and run nothing
	Amended   bool // classes come with localized qualifiers
	Batch     int
}

// AssociatorOptions narrow Associators and References.
type AssociatorOptions struct {
	OperationOptions
	AssocClass  string // the association is of this class or derived from it
	ResultClass string // the result is of this class or derived from it
	Role        string // the source takes part by this property
	ResultRole  string // the result takes part by this property
	Properties  []string
	KeysOnly    bool
	Batch       int
}

// PutMode says what Put may do.
type PutMode uint8

// The put modes.
const (
	UpdateOnly PutMode = iota
	CreateOrUpdate
)

// PutOptions are the options of Put.
type PutOptions struct {
	OperationOptions
	Mode       PutMode
	Properties []string // change only these; nil: all
}

// ClassWriter is what a Session implements besides where classes can be
// written: the object manager and the DCOM client.
type ClassWriter interface {
	// PutClass makes or changes a class. The class may be given with or without
	// what it inherits; whatever differs from its superclass is its own.
	// ErrInvalidParameter for a name that may not be, ErrInvalidSuperclass,
	// ErrAlreadyExists, ErrNotFound, ErrClassHasChildren, ErrClassHasInstances,
	// and what [Derive] fails with. See [MS-WMI] 3.1.4.3.6.
	PutClass(ctx context.Context, class *Class, o PutClassOptions) error
	// DeleteClass removes a class: ErrNotFound, ErrClassHasChildren,
	// ErrClassHasInstances. See [MS-WMI] 3.1.4.3.8.
	DeleteClass(ctx context.Context, name string, o OperationOptions) error
}

// ClassMode says which classes PutClass may write.
type ClassMode uint8

// The class modes.
const (
	ClassCreateOrUpdate ClassMode = iota
	ClassUpdateOnly
	ClassCreateOnly
)

// ClassConflict says what PutClass does with the subclasses of a class that it
// changes.
type ClassConflict uint8

// The conflict modes.
const (
	RefuseConflict ClassConflict = iota // refuse where there are subclasses or instances, unless nothing changes
	SafeConflict                        // permit what stands against no subclass
	ForceConflict                       // drop what stands in the way in the subclasses
)

// PutClassOptions are the options of PutClass.
type PutClassOptions struct {
	OperationOptions
	Mode     ClassMode
	Conflict ClassConflict
	Amended  bool // the class may carry amended qualifiers; they are left out
}

// Subscriber is what a Session implements besides where events can be
// received.
type Subscriber interface {
	// Subscribe gives the events that a WQL event query names, from now until
	// Close. Next waits for an event; a queue that overflows ends with
	// ErrQueueOverflow after what it holds. ErrUnparsableQuery,
	// ErrInvalidClass, ErrNotEventClass, ErrQuotaViolation, and
	// WBEMESS_E_REGISTRATION_TOO_PRECISE where a WITHIN clause is missing. See
	// [MS-WMI] 3.1.4.3.20 and spec/wmi.md 3.5.
	Subscribe(ctx context.Context, query string, o SubscribeOptions) (Enumerator, error)
}

// SubscribeOptions are the options of Subscribe.
type SubscribeOptions struct {
	OperationOptions
	Language string // "" is "WQL"
}
