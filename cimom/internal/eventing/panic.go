package eventing

import (
	"fmt"
	"runtime/debug"

	"github.com/casementhq/casement/cim"
)

// Queries and events are others': a mistake that they bring to light ends what
// they ask for, and not the service.

// caught makes an error of a panic.
func caught(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}

// survive logs a panic over an event, which is lost.
func (f *feed) survive(class *cim.Class) {
	if v := recover(); v != nil {
		f.hub.log.Error("an event could not be delivered", "class", class.Name, "namespace", f.namespace,
			"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}
