package gpedit

import (
	"strings"

	"github.com/casementhq/casement/registry"
)

// State is what the editor's three buttons choose.
type State uint8

// The states.
const (
	NotConfigured State = iota
	Enabled
	Disabled
)

// String is the text of the button.
func (s State) String() string {
	return [...]string{"Not configured", "Enabled", "Disabled"}[min(s, Disabled)]
}

// ParseState reads a state in any case; "Not configured" is read with and without its
// blank.
func ParseState(text string) (State, bool) {
	for s := NotConfigured; s <= Disabled; s++ {
		if strings.EqualFold(strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(s.String(), " ", "")) {
			return s, true
		}
	}
	return 0, false
}

// Policy is one policy of the computer.
type Policy struct {
	// Folder is where it stands in the tree, below Computer Configuration.
	Folder string
	Name   string
	Older  []string // names that earlier versions of Windows gave it
	Text   string   // what it is about
	// WhenEnabled, WhenDisabled and WhenNot say what each state does. WhenDisabled is
	// empty where the policy is only defined or not.
	WhenEnabled, WhenDisabled, WhenNot string
	// Note says what of it has no effect here, or "".
	Note string

	// Key is the key below HKLM. Value is the REG_DWORD that holds the state, On or Off;
	// "" where the options alone hold it.
	Key, Value string
	On, Off    uint32
	Options    []Option
}

// Kind is the kind of an option.
type Kind uint8

// The kinds. A Entries option takes any number of texts, which become the values 1, 2
// and so on of its key; of a Named one each is VALUE=TEXT.
const (
	Text Kind = iota
	Number
	Choice
	Entries
	Named
)

// Option is something that a policy asks for when it is enabled.
type Option struct {
	Name string // of --option
	Text string // what it is
	Kind Kind
	// Key is the key of an Entries or Named option. Value is the registry value of the
	// others, which stand in the key of the policy.
	Key, Value string
	Min, Max   uint32        // of a Number
	Choices    []ChoiceValue // of a Choice
	Default    string        // what holds where the option is not given
	Required   bool          // it must be given
	Check      func(string) error
}

// ChoiceValue is one value of a Choice.
type ChoiceValue struct {
	Name  string
	Value registry.Value
}

// Path is the whole path in the tree, with its root.
func (p *Policy) Path() string { return Root + `\` + p.Folder + `\` + p.Name }

// Root is the part of the editor's tree that there is: policies of users are not kept
// here.
const Root = "Computer Configuration"
