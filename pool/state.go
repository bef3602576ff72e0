package pool

// State is whether a server can be managed, in the words of Server Manager
// where it has words. See spec/winrm.md 9, spec/console.md 3.3.
type State string

// The states.
const (
	Online                 State = "Online"
	CountersNotStarted     State = "Online - Performance counters not started"
	RestartPending         State = "Online - Restart pending"
	DataRetrievalFailures  State = "Online - Data retrieval failures occurred"
	NoRoleData             State = "Online - Cannot get role and feature data"
	AccessDenied           State = "Online - Access denied"
	CredentialsNotValid    State = "Credentials not valid"
	KerberosResolution     State = "Kerberos target resolution error"
	KerberosAuthentication State = "Kerberos authentication error"
	NegotiateError         State = "WinRM Negotiate authentication error"
	NotComputerAccessible  State = "Target computer not accessible"
	VerifyWinRM            State = "Online - Verify WinRM 3.0 service is installed, running, and required firewall ports are open"
	NotAccessible          State = "Not accessible"
	NotAccessibleWMF3      State = "Not accessible - Verify earlier versions run Windows Management Framework 3.0"
	NewerSystem            State = "Online - Cannot manage an operating system newer than this computer's"
	Offline                State = "Offline"
	ManagementDisabled     State = "Remote management disabled"
	ManagementByPolicy     State = "Remote management disabled by policy"
	ClientSystem           State = "Not manageable - client operating system"
	UnknownState           State = "Unknown"
	Checking               State = "Checking"
	NotYetChecked          State = "Not yet checked"
	Paused                 State = "Paused"
)

// States are all of them, in the order in which they are documented.
var States = []State{
	Online, CountersNotStarted, RestartPending, DataRetrievalFailures, NoRoleData, AccessDenied, CredentialsNotValid, KerberosResolution,
	KerberosAuthentication, NegotiateError, NotComputerAccessible, VerifyWinRM, NotAccessible, NotAccessibleWMF3, NewerSystem, Offline,
	ManagementDisabled, ManagementByPolicy, ClientSystem, UnknownState, Checking, NotYetChecked, Paused,
}

// Level is how a state is shown.
type Level string

// The levels.
const (
	LevelOK        Level = "ok"
	LevelInfo      Level = "info"
	LevelAttention Level = "attention"
	LevelBlocked   Level = "blocked"
	LevelNone      Level = "none"
)

// Level of a state by itself; a threshold that is passed makes ok and info
// attention.
func (s State) Level() Level {
	switch s {
	case Online:
		return LevelOK
	case CountersNotStarted, RestartPending:
		return LevelInfo
	case DataRetrievalFailures, NoRoleData:
		return LevelAttention
	case Checking, NotYetChecked, Paused, "":
		return LevelNone
	default:
		return LevelBlocked
	}
}
