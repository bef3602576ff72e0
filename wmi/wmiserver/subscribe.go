package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// subscribe gives the events that a query names, from now on. See [MS-WMI] 3.1.4.3.20.
func subscribe(language, text string, flags uint32, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"ExecNotificationQuery", text}}
	if err := checkQuery(language, text); err != nil {
		return op, err
	}
	op.run = func(ctx context.Context, s cim.Session) (outcome, error) {
		events, ok := s.(cim.Subscriber)
		if !ok {
			return outcome{}, refuse(cim.ErrNotSupported, "events cannot be received from here")
		}
		enum, err := events.Subscribe(ctx, text, cim.SubscribeOptions{OperationOptions: cim.OperationOptions{Context: values}, Language: language})
		if err != nil {
			return outcome{}, err
		}
		return outcome{enum: amend(enum, s, flags)}, nil
	}
	return op, nil
}
